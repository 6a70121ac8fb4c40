package authstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/pkg/sqlstore"
)

type sessionRow struct {
	Hash      string `gorm:"primaryKey"`
	UserName  string
	Kind      string
	CreatedAt int64 `gorm:"autoCreateTime:false"`
	ExpiresAt int64
	SeenAt    int64
	Address   string
	Agent     string
}

// TableName names the table for gorm.
func (sessionRow) TableName() string { return "auth_session" }

func (r sessionRow) session() auth.Session {
	return auth.Session{
		Hash: r.Hash, User: r.UserName, Kind: auth.SessionKind(r.Kind), CreatedAt: moment(r.CreatedAt), ExpiresAt: moment(r.ExpiresAt),
		SeenAt: moment(r.SeenAt), Address: r.Address, Agent: r.Agent,
	}
}

// maxSessions bounds those of a user and kind; a further one ends the oldest. A script that logs in for each call fills no disk.
const maxSessions = 1000

// AddSession implements auth.Keeper. It takes away what has ended.
func (s *Store) AddSession(ctx context.Context, n auth.Session) error {
	row := sessionRow{
		Hash: n.Hash, UserName: n.User, Kind: string(n.Kind), CreatedAt: micros(n.CreatedAt), ExpiresAt: micros(n.ExpiresAt), SeenAt: micros(n.SeenAt),
		Address: sqlstore.Clean(n.Address), Agent: sqlstore.Clean(n.Agent),
	}
	return sqlstore.InRetriedTx(ctx, s.db, func(tx *gorm.DB) error {
		if err := s.lockUser(tx, n.User); err != nil {
			return err
		}
		if err := tx.Where("expires_at <= ?", row.CreatedAt).Delete(&sessionRow{}).Error; err != nil {
			return sqlstore.Translate(err, "sessions that have ended")
		}
		older := tx.Model(&sessionRow{}).Select("hash").Where("user_name = ? AND kind = ?", row.UserName, row.Kind).Order("created_at DESC").Offset(maxSessions - 1).Limit(maxSessions)
		var hashes []string
		if err := older.Find(&hashes).Error; err != nil {
			return sqlstore.Translate(err, "sessions")
		}
		if len(hashes) > 0 {
			if err := tx.Where("hash IN ?", hashes).Delete(&sessionRow{}).Error; err != nil {
				return sqlstore.Translate(err, "the oldest sessions")
			}
		}
		return sqlstore.Translate(tx.Create(&row).Error, "the session")
	})
}

// Sessions lists those of a user that have not ended, the newest first.
func (s *Store) Sessions(ctx context.Context, user string) ([]auth.Session, error) {
	if !sqlstore.Storable(user) {
		return nil, nil
	}
	var rows []sessionRow
	err := s.db.WithContext(ctx).Where("user_name = ? AND expires_at > ?", user, micros(time.Now())).Order("created_at DESC, hash").Find(&rows).Error
	if err != nil {
		return nil, sqlstore.Translate(err, "sessions")
	}
	sessions := make([]auth.Session, len(rows))
	for i, r := range rows {
		sessions[i] = r.session()
	}
	return sessions, nil
}

// SessionByHash implements auth.Keeper.
func (s *Store) SessionByHash(ctx context.Context, hash string) (auth.Session, auth.User, error) {
	r, err := first[sessionRow](s.db.WithContext(ctx).Where("hash = ?", hash))
	if err != nil {
		return auth.Session{}, auth.User{}, sqlstore.Translate(err, "the session")
	}
	u, _, err := s.UserByName(ctx, r.UserName)
	return r.session(), u, err
}

// SessionSeen implements auth.Keeper.
func (s *Store) SessionSeen(ctx context.Context, hash string, at time.Time) error {
	err := s.db.WithContext(ctx).Model(&sessionRow{}).Where("hash = ? AND seen_at < ?", hash, micros(at)).Update("seen_at", micros(at)).Error
	return sqlstore.Translate(err, "the last use of a session")
}

// RemoveSession implements auth.Keeper.
func (s *Store) RemoveSession(ctx context.Context, hash string) error {
	done := s.db.WithContext(ctx).Where("hash = ?", hash).Delete(&sessionRow{})
	if done.Error != nil {
		return sqlstore.Translate(done.Error, "the session")
	}
	if done.RowsAffected == 0 {
		return apperror.New(apperror.NotFound, "there is no such session")
	}
	return nil
}

// RemoveSessions ends all sessions of a user but one, and says how many.
func (s *Store) RemoveSessions(ctx context.Context, user, except string) (int64, error) {
	if !sqlstore.Storable(user) {
		return 0, noUser(user)
	}
	done := s.db.WithContext(ctx).Where("user_name = ? AND hash <> ?", user, except).Delete(&sessionRow{})
	return done.RowsAffected, sqlstore.Translate(done.Error, "the sessions of "+user)
}
