package mfa

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Desk takes proofs and has logins go on.
type Desk struct {
	*Factors
	Logins Finisher
}

// backupMethod is how a client says that its code is a backup code. It is offered to whoever has a factor and is no kind
// of factor itself.
const backupMethod = "backup_code"

// Paid is a login that went on after a proof.
type Paid struct {
	identity.Outcome
	BackupCodesLeft *int // told when one was used
}

// Code proves a challenge with a TOTP code or a backup code. Errors: 401 challenge_expired, 401 invalid_code, 429, 503.
func (d *Desk) Code(ctx context.Context, t tenancy.Tenant, challenge, method, code string, from identity.Client) (Paid, error) {
	if method == backupMethod {
		return d.backupCode(ctx, t, challenge, code, from)
	}
	var totp *totpFactor
	a, err := d.try(ctx, t, challenge, []string{method}, func(b *tenancy.Batch, hash []byte) { readTOTP(b, hash, &totp) }, purposeLogin, purposeStepUp)
	if err != nil {
		return Paid{}, err
	}
	spent, err := d.judge(ctx, t, a.proof.User, totp, code)
	if err == nil {
		err = d.spend(ctx, t, &a, spent)
	}
	if err != nil {
		return Paid{}, d.notProved(ctx, t, a, method, err)
	}
	o, err := d.finish(ctx, t, a, from, "otp", "mfa")
	return Paid{Outcome: o}, err
}

// notProved is the answer to a code that was refused or could not be judged.
func (d *Desk) notProved(ctx context.Context, t tenancy.Tenant, a attempt, method string, why error) error {
	if refused(why) {
		return d.deny(ctx, t, d.failed(a, method), a.proof.User, credential{}, why, errInvalidCode(problem.KindUnauthenticated))
	}
	d.refund(ctx, t, a)
	return why
}

// judge looks at a code and says what it costs.
func (d *Desk) judge(ctx context.Context, t tenancy.Tenant, u id.User, totp *totpFactor, code string) (statement, error) {
	if totp == nil {
		return statement{}, refuse(reasonCode, nil)
	}
	step, err := d.step(ctx, t, u, *totp, code)
	switch {
	case err != nil:
		return statement{}, err
	case step == 0:
		return statement{}, refuse(reasonCode, nil)
	case step <= totp.lastStep:
		return statement{}, refuse(reasonUsed, nil)
	}
	d.renew(ctx, t, sealedSecret{totp.id, u, totp.sealed})
	return spendStep(totp.id, step, d.Now()), nil
}

// finish has the login go on with what was proved. A step-up is a login of its own moment.
func (d *Desk) finish(ctx context.Context, t tenancy.Tenant, a attempt, from identity.Client, amr ...string) (identity.Outcome, error) {
	p := a.proof
	p.AMR = slices.DeleteFunc(slices.Clone(p.AMR), func(m string) bool { return slices.Contains(amr, m) })
	p = p.With(amr...)
	p.Client = from
	if a.purpose == purposeStepUp {
		p.AuthTime = d.Now()
	}
	o, err := d.Logins.Finish(ctx, t, p, a.holder)
	if problem.Is(err, "invalid_credentials") {
		err = errChallengeExpired() // the account changed under the challenge
	}
	return o, err
}

// StepUp asks a signed-in user for a second factor, to raise the session they have. Errors: 409 no_factor, 403
// policy_denied, 403 forbidden in the session of an application, which is to send its users to the pages instead.
func (f *Factors) StepUp(ctx context.Context, by identity.Caller) (*identity.Debt, error) {
	if by.OfApplication() {
		return nil, problem.Forbidden()
	}
	if len(by.User.Factors) == 0 {
		return nil, errNoFactor()
	}
	methods, err := f.Judge.StepUps(ctx, by, ordered(by.User.Factors))
	if err != nil {
		return nil, err
	}
	return f.owe(ctx, by.Tenant, challenge{purpose: purposeStepUp, methods: methods, proof: by.Proof()})
}

// BeginEnrollment makes a TOTP secret for whoever owes the enrolment of a first factor. Errors: 401 challenge_expired,
// 409 already_enrolled.
func (d *Desk) BeginEnrollment(ctx context.Context, t tenancy.Tenant, challenge string) (totpEnrolment, error) {
	a, err := d.open(ctx, t, challenge, []string{TOTP}, purposeEnroll)
	if err != nil {
		return totpEnrolment{}, err
	}
	return d.newTOTP(ctx, t, a.proof.User, hasNone)
}

// FinishEnrollment confirms it and has the login go on. That the user has no confirmed factor is checked again in the
// transaction that confirms: meanwhile they may have enrolled one by another road, and a password alone must not add a
// second one. Errors: 400 invalid_code, 401 challenge_expired, 409 already_enrolled.
func (d *Desk) FinishEnrollment(ctx context.Context, t tenancy.Tenant, challenge, code string, from identity.Client) (identity.Outcome, []string, error) {
	a, err := d.try(ctx, t, challenge, []string{TOTP}, nothing, purposeEnroll)
	if err != nil {
		return identity.Outcome{}, nil, err
	}
	codes, _, err := d.confirmTOTP(ctx, t, byUser(a.proof.User), a.proof.User, code, d.firstByChallenge(a))
	if err != nil {
		if problem.From(err).Kind == problem.KindUnavailable {
			d.refund(ctx, t, a)
		}
		return identity.Outcome{}, nil, err
	}
	o, err := d.finish(ctx, t, a, from, "otp", "mfa")
	return o, codes, err
}

func nothing(*tenancy.Batch, []byte) {}

// firstByChallenge admits the confirmation of a first factor and spends the challenge with it.
func (d *Desk) firstByChallenge(a attempt) func(context.Context, tenancy.Tx, identity.User) error {
	return func(ctx context.Context, tx tenancy.Tx, u identity.User) error {
		if err := hasNone(u); err != nil {
			return err
		}
		if err := identity.EndWeakSessions(ctx, tx, u.ID, id.Session{}); err != nil {
			return err
		}
		return deleteChallenge(ctx, tx, a.hash)
	}
}

func hasNone(u identity.User) error {
	if len(u.Factors) > 0 {
		return errAlreadyEnrolled()
	}
	return nil
}

func hasNoTOTP(u identity.User) error {
	if slices.Contains(u.Factors, TOTP) {
		return errAlreadyEnrolled()
	}
	return nil
}

// EnrollTOTP makes a TOTP secret for a signed-in user. Errors: 403 reauthentication_required, 403 method_not_offered,
// 409 already_enrolled.
func (f *Factors) EnrollTOTP(ctx context.Context, by identity.Caller) (totpEnrolment, error) {
	if err := by.Fresh(f.Now()); err != nil {
		return totpEnrolment{}, err
	}
	if err := f.mayEnroll(ctx, by, TOTP); err != nil {
		return totpEnrolment{}, err
	}
	return f.newTOTP(ctx, by.Tenant, by.User.ID, hasNoTOTP)
}

// ConfirmTOTP confirms it. codes are backup codes, where there were none. Errors: 400 invalid_code, 409
// already_enrolled, 403 reauthentication_required.
func (f *Factors) ConfirmTOTP(ctx context.Context, by identity.Caller, code string) (codes []string, left int, err error) {
	if err := by.Fresh(f.Now()); err != nil {
		return nil, 0, err
	}
	return f.confirmTOTP(ctx, by.Tenant, by.Actor(), by.User.ID, code, func(ctx context.Context, tx tenancy.Tx, u identity.User) error {
		if err := f.stillFresh(by, u); err != nil {
			return err
		}
		if err := hasNoTOTP(u); err != nil {
			return err
		}
		return identity.EndWeakSessions(ctx, tx, u.ID, by.Session.ID)
	})
}

// stillFresh is by.Fresh for the user as they are in the transaction: of two enrolments begun with a password alone one may
// be confirmed, and whatever else comes in that session then is by somebody who has a factor and has not proved it.
func (f *Factors) stillFresh(by identity.Caller, u identity.User) error {
	by.User = &u
	return by.Fresh(f.Now())
}
