package main

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// withApp makes a user who signs in with a password and an app.
func (tt testTenant) withApp(t *testing.T) (email string, a app) {
	t.Helper()
	email, text := tt.newUser(t)
	user, err := id.ParseUser(text)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := tt.factors.ProvisionTOTP(t.Context(), tt.record(t), user)
	if err != nil {
		t.Fatal(err)
	}
	return email, newApp(secret)
}

// signInBy signs in with both factors.
func (tt testTenant) signInBy(t *testing.T, email string, a app, step int) {
	t.Helper()
	challenge := tt.login(t, email, goodPassword).want(t, 200, "").text("challenge_id")
	tt.do(t, request{method: "POST", host: tt.host, path: "/v1/auth/mfa/challenge", body: map[string]any{"challenge_id": challenge, "code": a.code(t, step)}}).want(t, 200, "")
}

func (tt testTenant) rotateSealing(t *testing.T) {
	t.Helper()
	if _, err := tt.rotator.RotateSealing(t.Context(), tt.record(t), tenancy.Actor{Type: tenancy.ByOperator}); err != nil {
		t.Fatal(err)
	}
	tt.directory.Forget(tt.record(t).ID)
}

const (
	oldSecrets = `select count(*) from factors where secret not like 'vault:v2:%'`
	oldHashes  = `select count(*) from users where password_hash not like '%keyid=Mg$%'`
)

// What an older version of the sealing key has made is made anew when it is used.
func TestSecretsAreRenewedWhenUsed(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	email, a := tt.withApp(t)
	other, _ := tt.withApp(t)
	tt.rotateSealing(t)
	tt.signInBy(t, email, a, 0)
	if s, h := tt.count(t, oldSecrets), tt.count(t, oldHashes); s != 1 || h < 1 {
		t.Errorf("%d secrets and %d passwords are of the old version: one of each was used", s, h)
	}
	if n := tt.count(t, oldHashes+` and email = $1`, other); n != 1 {
		t.Error("a password that nobody typed is peppered anew")
	}
	// The password is peppered anew once the login is complete without another factor.
	plain, _ := tt.newUser(t)
	tt.rotateSealing(t)
	tt.login(t, plain, goodPassword).want(t, 200, "")
	if n := tt.count(t, `select count(*) from users where email = $1 and password_hash like '%keyid=Mw$%'`, plain); n != 1 {
		t.Error("a password that was typed is not peppered anew")
	}
	tt.login(t, plain, goodPassword).want(t, 200, "")
	tt.login(t, plain, "another long passphrase").want(t, 401, "invalid_credentials")
	tt.signInBy(t, email, a, 1)
}

// A rewrap that is ended is finished by the next one; two at once do no harm; and what it has sealed still opens.
func TestSecretsAreRewrapped(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	var emails []string
	var apps []app
	for range 3 {
		email, a := tt.withApp(t)
		emails, apps = append(emails, email), append(apps, a)
	}
	tt.rotateSealing(t)
	ctx, end := context.WithCancel(t.Context())
	_, err := tt.factors.Rewrap(ctx, tt.record(t), 2, func(done, of int64) {
		if end(); done != 1 || of != 3 {
			t.Errorf("told %d of %d", done, of)
		}
	})
	if !errors.Is(err, context.Canceled) || tt.count(t, oldSecrets) != 2 {
		t.Errorf("ended after one: %v, %d are left", err, tt.count(t, oldSecrets))
	}
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if _, _, err := tt.rewrapOne(t.Context(), tt.record(t), func(int64, int64) {}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	resealed, waiting, err := tt.rewrapOne(t.Context(), tt.record(t), func(int64, int64) {})
	if err != nil || resealed != 0 || waiting != 3 || tt.count(t, oldSecrets) != 0 {
		t.Errorf("in the end %d were sealed anew, %d passwords wait, %d secrets are old: %v", resealed, waiting, tt.count(t, oldSecrets), err)
	}
	for i, email := range emails {
		tt.signInBy(t, email, apps[i], 0)
	}
}
