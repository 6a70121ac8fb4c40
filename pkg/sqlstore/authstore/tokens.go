package authstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/pkg/sqlstore"
)

type tokenRow struct {
	ID        int64 `gorm:"primaryKey;autoIncrement"`
	Owner     string
	Name      string
	Hash      string
	Role      string
	CreatedAt int64 `gorm:"autoCreateTime:false"`
	ExpiresAt int64
	UsedAt    int64
}

// TableName names the table for gorm.
func (tokenRow) TableName() string { return "auth_token" }

func (r tokenRow) token() auth.Token {
	return auth.Token{
		ID: r.ID, Owner: r.Owner, Name: r.Name, Role: auth.Role(r.Role),
		CreatedAt: moment(r.CreatedAt), ExpiresAt: moment(r.ExpiresAt), UsedAt: moment(r.UsedAt),
	}
}

// AddToken keeps the hash of a new token of t.Owner and returns the token with its ID. Codes: Invalid for a name that is none or a time that is past, NotFound for
// an owner who is none, AlreadyExists if the owner has one of that name.
func (s *Store) AddToken(ctx context.Context, t auth.Token, hash string) (auth.Token, error) {
	now := time.Now()
	if err := auth.CheckTokenName(t.Name); err != nil {
		return auth.Token{}, err
	}
	if _, err := auth.ParseRole(string(t.Role)); err != nil {
		return auth.Token{}, err
	}
	if t.Expired(now) {
		return auth.Token{}, apperror.New(apperror.Invalid, "the token would have ended already; choose a later time")
	}
	row := tokenRow{Owner: t.Owner, Name: t.Name, Hash: hash, Role: string(t.Role), CreatedAt: micros(now), ExpiresAt: micros(t.ExpiresAt)}
	err := sqlstore.InRetriedTx(ctx, s.db, func(tx *gorm.DB) error {
		row.ID = 0
		if err := s.lockUser(tx, t.Owner); err != nil {
			return err
		}
		return sqlstore.Translate(tx.Create(&row).Error, "the token "+t.Name+" of "+t.Owner)
	})
	return row.token(), err
}

// lockUser keeps a user from being removed until the transaction ends. Codes: NotFound.
func (s *Store) lockUser(tx *gorm.DB, name string) error {
	if !sqlstore.Storable(name) {
		return noUser(name)
	}
	_, err := first[userRow](locked(tx).Where("name = ?", name))
	return sqlstore.Translate(err, "the user "+name)
}

// Tokens lists the tokens of an owner, or of everybody without one, by owner and name.
func (s *Store) Tokens(ctx context.Context, owner string) ([]auth.Token, error) {
	db := s.db.WithContext(ctx).Order("owner, name")
	if owner != "" {
		if !sqlstore.Storable(owner) {
			return nil, nil
		}
		db = db.Where("owner = ?", owner)
	}
	var rows []tokenRow
	if err := db.Find(&rows).Error; err != nil {
		return nil, sqlstore.Translate(err, "tokens")
	}
	tokens := make([]auth.Token, len(rows))
	for i, r := range rows {
		tokens[i] = r.token()
	}
	return tokens, nil
}

// RemoveToken removes a token of an owner. Codes: NotFound, also if it is another's.
func (s *Store) RemoveToken(ctx context.Context, owner string, id int64) error {
	if !sqlstore.Storable(owner) {
		return noUser(owner)
	}
	done := s.db.WithContext(ctx).Where("id = ? AND owner = ?", id, owner).Delete(&tokenRow{})
	if done.Error != nil {
		return sqlstore.Translate(done.Error, "the token")
	}
	if done.RowsAffected == 0 {
		return apperror.New(apperror.NotFound, "%s has no such token", owner)
	}
	return nil
}

// TokenByHash implements auth.Keeper.
func (s *Store) TokenByHash(ctx context.Context, hash string) (auth.Token, auth.User, error) {
	t, err := first[tokenRow](s.db.WithContext(ctx).Where("hash = ?", hash))
	if err != nil {
		return auth.Token{}, auth.User{}, sqlstore.Translate(err, "the token")
	}
	u, _, err := s.UserByName(ctx, t.Owner)
	return t.token(), u, err
}

// TokenUsed implements auth.Keeper.
func (s *Store) TokenUsed(ctx context.Context, id int64, at time.Time) error {
	err := s.db.WithContext(ctx).Model(&tokenRow{}).Where("id = ? AND used_at < ?", id, micros(at)).Update("used_at", micros(at)).Error
	return sqlstore.Translate(err, "the last use of a token")
}
