package authstore

import (
	"context"
	"time"

	"gorm.io/gorm"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
	"tasador/pkg/sqlstore"
)

type userRow struct {
	Name      string `gorm:"primaryKey"`
	Role      string
	Password  string
	CreatedAt int64 `gorm:"autoCreateTime:false"`
}

// TableName names the table for gorm.
func (userRow) TableName() string { return "auth_user" }

func (r userRow) user() auth.User {
	return auth.User{Name: r.Name, Role: auth.Role(r.Role), CreatedAt: moment(r.CreatedAt)}
}

func noUser(name string) error {
	return apperror.New(apperror.NotFound, "there is no user %s", sqlstore.Clean(name))
}

// AddUser adds a user with the hash of a password. Codes: Invalid for a name that is none, AlreadyExists.
func (s *Store) AddUser(ctx context.Context, name string, role auth.Role, password string) (auth.User, error) {
	name, err := auth.ParseName(name)
	if err != nil {
		return auth.User{}, err
	}
	if _, err := auth.ParseRole(string(role)); err != nil {
		return auth.User{}, err
	}
	row := userRow{Name: name, Role: string(role), Password: password, CreatedAt: micros(time.Now())}
	if err := s.db.WithContext(ctx).Create(&row).Error; err != nil {
		return auth.User{}, sqlstore.Translate(err, "the user "+name)
	}
	return row.user(), nil
}

// Users lists all users by name.
func (s *Store) Users(ctx context.Context) ([]auth.User, error) {
	var rows []userRow
	if err := s.db.WithContext(ctx).Order("name").Find(&rows).Error; err != nil {
		return nil, sqlstore.Translate(err, "users")
	}
	users := make([]auth.User, len(rows))
	for i, r := range rows {
		users[i] = r.user()
	}
	return users, nil
}

// UserByName implements auth.Keeper.
func (s *Store) UserByName(ctx context.Context, name string) (auth.User, string, error) {
	if !sqlstore.Storable(name) {
		return auth.User{}, "", noUser(name)
	}
	r, err := first[userRow](s.db.WithContext(ctx).Where("name = ?", name))
	if err != nil {
		return auth.User{}, "", sqlstore.Translate(err, "the user "+name)
	}
	return r.user(), r.Password, nil
}

// first returns the row that a query finds, or gorm.ErrRecordNotFound, which is not logged.
func first[T any](query *gorm.DB) (T, error) {
	var rows []T
	err := query.Limit(1).Find(&rows).Error
	if err == nil && len(rows) == 0 {
		err = gorm.ErrRecordNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return rows[0], nil
}

// SetRole changes the role of a user, from the next request on. Codes: NotFound; FailedPrecondition if no admin would be left.
func (s *Store) SetRole(ctx context.Context, name string, role auth.Role) error {
	if _, err := auth.ParseRole(string(role)); err != nil {
		return err
	}
	return s.changeUser(ctx, name, role == auth.Admin, func(tx *gorm.DB) error {
		return tx.Model(&userRow{}).Where("name = ?", name).Update("role", string(role)).Error
	})
}

// RemoveUser removes a user with all tokens and sessions. Codes: as SetRole.
func (s *Store) RemoveUser(ctx context.Context, name string) error {
	return s.changeUser(ctx, name, false, func(tx *gorm.DB) error {
		return tx.Where("name = ?", name).Delete(&userRow{}).Error
	})
}

// changeUser runs a change of a user after which an admin is left: this one, if staysAdmin, or another one.
func (s *Store) changeUser(ctx context.Context, name string, staysAdmin bool, change func(tx *gorm.DB) error) error {
	if !sqlstore.Storable(name) {
		return noUser(name)
	}
	return sqlstore.InRetriedTx(ctx, s.db, func(tx *gorm.DB) error {
		// Locked in one order, so that of two who each remove the other admin only one does.
		var admins []userRow
		if err := locked(tx).Where("role = ?", string(auth.Admin)).Order("name").Find(&admins).Error; err != nil {
			return sqlstore.Translate(err, "users")
		}
		if _, err := first[userRow](tx.Where("name = ?", name)); err != nil {
			return sqlstore.Translate(err, "the user "+name)
		}
		if !staysAdmin && len(admins) == 1 && admins[0].Name == name {
			return apperror.New(apperror.FailedPrecondition, "%s is the only admin; make another user admin first", name)
		}
		return sqlstore.Translate(change(tx), "the user "+name)
	})
}

// SetPassword replaces the hash of a user's password and ends all sessions of the user but one. Tokens stay. Codes: NotFound.
func (s *Store) SetPassword(ctx context.Context, name, password, keepSession string) error {
	if !sqlstore.Storable(name) {
		return noUser(name)
	}
	return sqlstore.InRetriedTx(ctx, s.db, func(tx *gorm.DB) error {
		done := tx.Model(&userRow{}).Where("name = ?", name).Update("password", password)
		if done.Error != nil {
			return sqlstore.Translate(done.Error, "the user "+name)
		}
		if done.RowsAffected == 0 {
			return noUser(name)
		}
		err := tx.Where("user_name = ? AND hash <> ?", name, keepSession).Delete(&sessionRow{}).Error
		return sqlstore.Translate(err, "the sessions of "+name)
	})
}

// HasAdmin reports whether there is somebody who may add users.
func (s *Store) HasAdmin(ctx context.Context) (bool, error) {
	_, err := first[userRow](s.db.WithContext(ctx).Where("role = ?", string(auth.Admin)))
	if err = sqlstore.Translate(err, "an admin"); apperror.CodeOf(err) == apperror.NotFound {
		return false, nil
	}
	return err == nil, err
}
