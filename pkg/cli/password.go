package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"tasador/pkg/apperror"
	"tasador/pkg/auth"
)

// passwordFlag says where a password comes from. It is never an argument, which others on the machine could see.
type passwordFlag struct {
	PasswordFile string `name:"password-file" placeholder:"FILE" help:"File whose first line is the password; - is standard input. Default: the terminal, which does not show it."`
}

// maxLine bounds what is read of a line, far above the longest password.
const maxLine = 64 * 1024

// ask returns a new password for a user. Codes: Invalid.
func (f passwordFlag) ask(io IO, user string) (string, error) {
	password, err := f.read(io, user)
	if err != nil {
		return "", err
	}
	return password, auth.CheckPassword(user, password)
}

func (f passwordFlag) read(io IO, user string) (string, error) {
	terminal, typed := io.In.(*os.File)
	switch {
	case f.PasswordFile != "" && f.PasswordFile != "-":
		file, err := os.Open(f.PasswordFile)
		if err != nil {
			return "", apperror.Wrap(apperror.Invalid, err, "the file of the password cannot be read; check --password-file")
		}
		line, err := firstLine(file)
		return line, errors.Join(err, file.Close())
	case f.PasswordFile == "" && typed && term.IsTerminal(int(terminal.Fd())):
		return typePassword(io, terminal, user)
	case io.In == nil:
		return "", apperror.New(apperror.Invalid, "there is no standard input to read the password from; use --password-file")
	default:
		return firstLine(io.In)
	}
}

// firstLine reads up to the end of the line. What Windows ends lines with is no part of it.
func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", apperror.Wrap(apperror.Invalid, err, "the password cannot be read")
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// typePassword asks twice on the terminal.
func typePassword(io IO, terminal *os.File, user string) (string, error) {
	var typed [2]string
	for i, prompt := range []string{"New password of " + user + ": ", "Once more: "} {
		_, _ = fmt.Fprint(io.Err, prompt) // a terminal that does not show it still takes the password
		password, err := term.ReadPassword(int(terminal.Fd()))
		_, _ = fmt.Fprintln(io.Err)
		if err != nil {
			return "", apperror.Wrap(apperror.Invalid, err, "the password cannot be read from the terminal; use --password-file")
		}
		typed[i] = string(password)
	}
	if typed[0] != typed[1] {
		return "", apperror.New(apperror.Invalid, "the two passwords are not the same; nothing was changed")
	}
	return typed[0], nil
}
