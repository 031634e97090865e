package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

func userCommand(p process) *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "Create, list, suspend and unlock users of a tenant, set passwords, reset second factors, import and export"}
	c.AddCommand(userCreate(p), userList(p), userSuspend(p), userPassword(p), userResetMFA(p), userImport(p), userExport(p), userUnlock(p))
	return c
}

// passwordFrom reads one line. A password is never an argument: arguments can be read by everybody on the machine.
func passwordFrom(r io.Reader) (password.Password, error) {
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || line == "") {
		return password.Password{}, errors.New("no password on standard input")
	}
	return password.Parse(strings.TrimRight(line, "\r\n"))
}

func userCreate(p process) *cobra.Command {
	var name string
	var roles []string
	var withPassword, verified bool
	c := &cobra.Command{
		Use: "create SLUG EMAIL", Short: "Create a user", Args: exactly(2),
		Long: "Create a user. With --password the password is one line of standard input; else the user is\ninvited by mail to choose one. Without --verified somebody with a password is asked by mail to verify their address first.",
	}
	addFlags(c)
	c.Flags().StringVar(&name, "name", "", "name of the user (default: what is before the @)")
	c.Flags().StringSliceVar(&roles, "roles", []string{string(identity.RoleUser)}, "roles of the user")
	c.Flags().BoolVar(&withPassword, "password", false, "read a password from standard input")
	c.Flags().BoolVar(&verified, "verified", false, "take the address as verified")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		n, err := identity.ParseNewUser(args[1], name, roles, verified)
		if err != nil {
			return err
		}
		if withPassword {
			if n.Password, err = passwordFrom(p.stdin); err != nil {
				return err
			}
		}
		u, err := pl.users.Add(ctx, t, n)
		if err == nil {
			fmt.Fprintln(p.stdout, u.ID)
		}
		return err
	})
	return c
}

func userList(p process) *cobra.Command {
	c := &cobra.Command{Use: "list SLUG", Short: "List the users of a tenant", Args: exactly(1)}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, err := pl.tenant(ctx, args[0])
		if err != nil {
			return err
		}
		const page = 250
		var rows [][]any
		var after id.User
		for {
			users, _, err := pl.users.List(ctx, t, after, page, "", "")
			if err != nil {
				return err
			}
			for _, u := range users {
				rows = append(rows, []any{u.Email, u.Name, strings.Trim(fmt.Sprint(u.Roles), "[]"), u.Active, u.EmailVerified, u.ID})
				after = u.ID
			}
			if len(users) < page {
				return table(p, "EMAIL\tNAME\tROLES\tACTIVE\tVERIFIED\tID", rows)
			}
		}
	})
	return c
}

func userSuspend(p process) *cobra.Command {
	var resume bool
	c := &cobra.Command{Use: "suspend SLUG EMAIL", Short: "Suspend a user and end their sessions, or resume them", Args: exactly(2)}
	addFlags(c)
	c.Flags().BoolVar(&resume, "resume", false, "make the user active again")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, u, err := pl.user(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		active := resume
		if _, err := pl.users.Update(ctx, identity.Operator(t), u.ID, identity.UserChange{Active: &active}); err != nil {
			return err
		}
		state := map[bool]string{true: "active", false: "suspended"}[active]
		fmt.Fprintf(p.stdout, "%s is %s\n", u.Email, state)
		return nil
	})
	return c
}

func userResetMFA(p process) *cobra.Command {
	c := &cobra.Command{Use: "reset-mfa SLUG EMAIL", Short: "Take all second factors of a user away and end their sessions", Args: exactly(2)}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, u, err := pl.user(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		if err := pl.factors.Reset(ctx, identity.Operator(t), u.ID); err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%s has no second factor and no session now\n", u.Email)
		return nil
	})
	return c
}

func userUnlock(p process) *cobra.Command {
	c := &cobra.Command{Use: "unlock SLUG EMAIL", Short: "Let a user try again at once after too many wrong passwords or codes", Args: exactly(2)}
	addFlags(c)
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, u, err := pl.user(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		if err := pl.factors.Unlock(ctx, identity.Operator(t), u.ID); err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%s can sign in again\n", u.Email)
		return nil
	})
	return c
}

func userPassword(p process) *cobra.Command {
	var verified bool
	c := &cobra.Command{
		Use: "password SLUG EMAIL", Short: "Set a user's password and end their sessions", Args: exactly(2),
		Long: "Set a user's password, which is one line of standard input, and end their sessions. It is how the owner that\n" +
			"`gatehouse tenant create --owner-email` made gets one, with --verified, and people who are locked out get another.",
	}
	addFlags(c)
	c.Flags().BoolVar(&verified, "verified", false, "take the address as verified")
	c.RunE = operator(p, func(ctx context.Context, pl *platform, args []string) error {
		t, u, err := pl.user(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		pw, err := passwordFrom(p.stdin)
		if err != nil {
			return err
		}
		if err := pl.users.SetPassword(ctx, t, u.ID, pw, verified); err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%s has a new password and no session\n", u.Email)
		if !verified && !u.EmailVerified {
			fmt.Fprintln(p.stdout, "the address is not verified, so signing in is refused: run this with --verified if it is theirs")
		}
		return nil
	})
	return c
}

// user finds the user an operator names by tenant and address.
func (p *platform) user(ctx context.Context, slug, email string) (tenancy.Tenant, identity.User, error) {
	t, err := p.tenant(ctx, slug)
	if err != nil {
		return t, identity.User{}, err
	}
	e, err := identity.ParseEmail(email)
	if err != nil {
		return t, identity.User{}, fmt.Errorf("%q %w", email, err)
	}
	found, _, err := p.users.List(ctx, t, id.User{}, 1, e, "")
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s has no user %s", slug, e)
	}
	if err != nil {
		return t, identity.User{}, err
	}
	return t, found[0], nil
}
