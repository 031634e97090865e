package mfa

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// What is verified here follows WebAuthn Level 3 sections 7.1 (registration) and 7.2 (assertion). go-webauthn takes most
// of the steps; what it leaves to its caller is taken here: that origins are compared as they are written, that the
// credential belongs to the user and to the relying party that was asked, what a counter that went back means, and how
// large a key may be.

const (
	ceremonyTimeout = 300_000 // milliseconds, as long as the challenge lives
	maxCredentialID = 1023    // bytes (section 7.1 step 25)
	maxCredentials  = 20      // of one user
	minRSABits      = 2048
	maxRSABits      = 4096 // a signature by a larger key takes our time, not its owner's
)

// webauthnKinds are the kinds of factor that a browser proves.
var webauthnKinds = []string{Passkey, Security}

// algorithms of credentials, in the order we like them.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// relyingParty is what a tenant is to browsers. Its id is the host that the tenant has proved longest or, where it has none,
// the shared host; credentials made for another host of the tenant stay good there and, by related origin requests
// (section 5.11), on all of the tenant's hosts. It is not the primary domain: a sign-in by passkey asks for one id before it
// is known who comes, so if the id went where the tenant moves its primary domain, nobody's passkey would be found any more.
type relyingParty struct {
	id      string
	name    string
	hosts   []string // the ids that credentials may have been made for
	origins []string // where ceremonies may take place

	authenticators settings.Authenticators // that may be registered
	now            time.Time
}

func (f *Factors) relyingParty(ctx context.Context, t tenancy.Tenant) (relyingParty, error) {
	hosts, err := f.Hosts.Of(ctx, t)
	if err != nil {
		return relyingParty{}, err
	}
	if len(hosts) == 0 {
		hosts = []tenancy.Host{f.Address.Shared()}
	}
	set, err := f.Settings.Of(ctx, t)
	if err != nil {
		return relyingParty{}, err
	}
	p := relyingParty{id: string(hosts[0]), name: t.Name, authenticators: set.MFA.Authenticators, now: f.Now()}
	for _, h := range hosts {
		p.hosts, p.origins = append(p.hosts, string(h)), append(p.origins, f.Address.Origin(h))
	}
	return p, nil
}

// ceremony is what a browser was asked for. It is kept with its challenge, or for a sign-in by passkey in the challenge,
// and is good for one answer that is accepted.
type ceremony struct {
	Challenge []byte      `json:"challenge"`
	RPID      string      `json:"rp_id"`
	Method    string      `json:"method,omitempty"`  // registration: of the credential to be made
	Allowed   []id.Factor `json:"allowed,omitempty"` // assertion: which credentials may answer
}

func newCeremony(rpID string) ceremony {
	c := ceremony{Challenge: make([]byte, 32), RPID: rpID}
	_, _ = rand.Read(c.Challenge)
	return c
}

// credential is a WebAuthn credential of a user.
type credential struct {
	factor id.Factor
	method string
	device string
	rpID   string
	record record
	stored string // record as the database has it
}

// record is what is kept of a credential (section 4, credential record).
type record struct {
	ID             []byte                            `json:"id"`
	PublicKey      []byte                            `json:"public_key"` // COSE_Key
	SignCount      uint32                            `json:"sign_count"`
	UVInitialized  bool                              `json:"uv_initialized"`
	BackupEligible bool                              `json:"backup_eligible"`
	BackupState    bool                              `json:"backup_state"`
	Transports     []protocol.AuthenticatorTransport `json:"transports,omitempty"`
	AAGUID         []byte                            `json:"aaguid,omitempty"`
	Format         string                            `json:"attestation_format,omitempty"`
}

func (r record) descriptor() protocol.CredentialDescriptor {
	return protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: r.ID, Transport: r.Transports}
}

// holder is a user as go-webauthn knows one. The user handle is the id's 16 bytes: it says nothing of the person.
type holder struct {
	id          id.User
	credentials []webauthn.Credential
}

func (h holder) WebAuthnID() []byte                         { return h.id[:] }
func (h holder) WebAuthnName() string                       { return "" }
func (h holder) WebAuthnDisplayName() string                { return "" }
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.credentials }

func errInvalidCredential(k problem.Kind) *problem.Error {
	return problem.New(k, "invalid_credential", "This passkey or security key was not accepted.")
}

// creationOptions is what a browser is asked to make a credential with.
func (p relyingParty) creationOptions(c ceremony, u identity.User, has []credential) protocol.PublicKeyCredentialCreationOptions {
	o := protocol.PublicKeyCredentialCreationOptions{
		RelyingParty: protocol.RelyingPartyEntity{ID: c.RPID, CredentialEntity: protocol.CredentialEntity{Name: p.name}},
		User: protocol.UserEntity{ID: protocol.URLEncodedBase64(u.ID[:]), DisplayName: u.Name,
			CredentialEntity: protocol.CredentialEntity{Name: string(u.Email)}},
		Challenge: c.Challenge, Parameters: algorithms, Timeout: ceremonyTimeout, Attestation: p.conveyance(),
	}
	for _, k := range has {
		if k.rpID == c.RPID {
			o.CredentialExcludeList = append(o.CredentialExcludeList, k.record.descriptor())
		}
	}
	yes, no := true, false
	if c.Method == Passkey {
		o.AuthenticatorSelection = protocol.AuthenticatorSelection{RequireResidentKey: &yes,
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired}
	} else {
		o.AuthenticatorSelection = protocol.AuthenticatorSelection{AuthenticatorAttachment: protocol.CrossPlatform, RequireResidentKey: &no,
			ResidentKey: protocol.ResidentKeyRequirementDiscouraged, UserVerification: protocol.VerificationPreferred}
		o.Hints = []protocol.PublicKeyCredentialHints{protocol.PublicKeyCredentialHintSecurityKey}
	}
	return o
}

// requestOptions is what a browser is asked to prove a credential with. Without allowed ones the user picks a passkey.
func requestOptions(c ceremony, allowed []credential) protocol.PublicKeyCredentialRequestOptions {
	o := protocol.PublicKeyCredentialRequestOptions{Challenge: c.Challenge, Timeout: ceremonyTimeout, RelyingPartyID: c.RPID,
		UserVerification: protocol.VerificationRequired}
	for _, k := range allowed {
		if k.method != Passkey {
			o.UserVerification = protocol.VerificationPreferred
		}
		o.AllowedCredentials = append(o.AllowedCredentials, k.record.descriptor())
	}
	return o
}

// usable are the credentials that can answer one ceremony, and the relying party id to ask for: a ceremony has one, so
// those made for the tenant's present id go first, and then those for the host that comes next.
func (p relyingParty) usable(all []credential, methods []string) (rpID string, usable []credential) {
	for _, host := range append([]string{p.id}, p.hosts...) {
		for _, k := range all {
			if k.rpID == host && slices.Contains(methods, k.method) {
				usable = append(usable, k)
			}
		}
		if len(usable) > 0 {
			return host, usable
		}
	}
	return "", nil
}

// verifier is go-webauthn set up for one ceremony.
func (p relyingParty) verifier(c ceremony) (*webauthn.WebAuthn, error) {
	return webauthn.New(&webauthn.Config{RPID: c.RPID, RPDisplayName: p.name, RPOrigins: p.origins,
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore}) // section 7.2 step 24
}

func (c ceremony) session(u id.User, verification protocol.UserVerificationRequirement) webauthn.SessionData {
	return webauthn.SessionData{Challenge: protocol.URLEncodedBase64(c.Challenge).String(), RelyingPartyID: c.RPID, UserID: u[:],
		UserVerification: verification, CredParams: algorithms}
}

// verification is what is asked of a credential of this kind. A passkey stands for two factors wherever it is used.
func verification(method string) protocol.UserVerificationRequirement {
	if method == Passkey {
		return protocol.VerificationRequired
	}
	return protocol.VerificationPreferred
}

// sameOrigin compares origins as they are written: go-webauthn forgives a path, a user name and upper case, which no
// browser sends.
func (p relyingParty) sameOrigin(c protocol.CollectedClientData) error {
	if !slices.Contains(p.origins, c.Origin) {
		return refuse(reasonOrigin, nil)
	}
	return nil
}

// parseAssertion reads a credential that a browser proves.
func parseAssertion(raw strictjson.Raw) (*protocol.ParsedCredentialAssertionData, error) {
	a, err := protocol.ParseCredentialRequestResponseBytes(raw)
	if err != nil {
		return nil, refuse(reasonUnreadable, err)
	}
	if len(a.RawID) > maxCredentialID {
		return nil, refuse(reasonUnreadable, errors.New("credential id too long"))
	}
	return a, strictly(a.Raw.AssertionResponse.ClientDataJSON)
}

// parseAttestation reads a credential that a browser has made.
func parseAttestation(raw strictjson.Raw) (*protocol.ParsedCredentialCreationData, error) {
	a, err := protocol.ParseCredentialCreationResponseBytes(raw)
	if err != nil {
		return nil, refuse(reasonUnreadable, err)
	}
	return a, strictly(a.Raw.AttestationResponse.ClientDataJSON)
}

// strictly refuses client data that two readers could understand differently: names given twice or in another case, bytes
// that are not UTF-8.
func strictly(clientData []byte) error {
	var v struct {
		Data strictjson.Raw `json:"data"`
	}
	err := strictjson.Decode(slices.Concat([]byte(`{"data":`), clientData, []byte(`}`)), &v)
	if err != nil || !bytes.Equal(bytes.TrimSpace(clientData), v.Data) {
		return refuse(reasonUnreadable, errors.Join(errors.New("client data is not strict JSON"), err))
	}
	return nil
}

// attested is the record of a new credential, if the answer to the ceremony holds. The key is the one in the attested
// object, whatever else the answer says of one.
func (p relyingParty) attested(c ceremony, u id.User, raw strictjson.Raw) (record, []string, error) {
	answer, err := parseAttestation(raw)
	if err != nil {
		return record{}, nil, err
	}
	if err := p.sameOrigin(answer.Response.CollectedClientData); err != nil {
		return record{}, nil, err
	}
	// Before the attestation statement is verified, which is with this key or that of a certificate.
	object := answer.Response.AttestationObject
	if err := boundedKey(object.AuthData.AttData.CredentialPublicKey); err != nil {
		return record{}, nil, err
	}
	chain, err := certificates(object)
	if err != nil {
		return record{}, nil, err
	}
	v, err := p.verifier(c)
	if err != nil {
		return record{}, nil, err
	}
	made, err := v.CreateCredential(holder{id: u}, c.session(u, verification(c.Method)), answer)
	if err != nil {
		return record{}, nil, refuse(reasonUnverified, err)
	}
	if err := p.admits(object, chain); err != nil {
		return record{}, nil, err
	}
	if len(made.ID) == 0 || len(made.ID) > maxCredentialID {
		return record{}, nil, refuse(reasonUnreadable, errors.New("credential id too short or too long"))
	}
	r := record{ID: made.ID, PublicKey: made.PublicKey, SignCount: made.Authenticator.SignCount, UVInitialized: made.Flags.UserVerified,
		BackupEligible: made.Flags.BackupEligible, BackupState: made.Flags.BackupState, Transports: transports(made.Transport),
		AAGUID: made.Authenticator.AAGUID, Format: made.AttestationFormat}
	return r, r.amr(made.Flags.UserVerified), nil
}

// boundedKey refuses keys that no authenticator makes. With attestation none nothing else looks at the key before it is
// used for the first time.
func boundedKey(cose []byte) error {
	key, err := webauthncose.ParsePublicKey(cose)
	if err != nil {
		return refuse(reasonKey, err)
	}
	if k, is := key.(webauthncose.RSAPublicKeyData); is {
		bits := 8 * len(bytes.TrimLeft(k.Modulus, "\x00"))
		e, err := webauthncose.ParseRSAPublicKeyDataExponent(&k)
		if err != nil || bits < minRSABits || bits > maxRSABits || e < 3 || e > 1<<31-1 || e%2 == 0 {
			return refuse(reasonKey, errors.Join(errors.New("RSA key of an unusual size"), err))
		}
	}
	return nil
}

var transportGrammar = regexp.MustCompile(`^[a-z-]{1,32}$`)

// transports keeps what a browser says of the ways to an authenticator, unknown ways included (section 5.8.4), in bounds.
func transports(all []protocol.AuthenticatorTransport) (kept []protocol.AuthenticatorTransport) {
	for _, t := range all {
		if transportGrammar.MatchString(string(t)) && !slices.Contains(kept, t) && len(kept) < 8 {
			kept = append(kept, t)
		}
	}
	return kept
}

// asserted is the record of a credential after it was used, if the answer to the ceremony holds, and what it proves.
func (p relyingParty) asserted(c ceremony, u id.User, k credential, answer *protocol.ParsedCredentialAssertionData) (record, []string, error) {
	switch {
	case len(c.Challenge) == 0:
		return record{}, nil, refuse(reasonUnasked, nil)
	case k.factor.IsZero():
		return record{}, nil, refuse(reasonUnknown, nil)
	case k.rpID != c.RPID:
		return record{}, nil, refuse(reasonRelyingParty, nil)
	}
	if err := p.sameOrigin(answer.Response.CollectedClientData); err != nil {
		return record{}, nil, err
	}
	v, err := p.verifier(c)
	if err != nil {
		return record{}, nil, err
	}
	known := webauthn.Credential{ID: k.record.ID, PublicKey: k.record.PublicKey, AttestationFormat: k.record.Format,
		Flags:         webauthn.CredentialFlags{UserPresent: true, UserVerified: k.record.UVInitialized, BackupEligible: k.record.BackupEligible, BackupState: k.record.BackupState},
		Authenticator: webauthn.Authenticator{AAGUID: k.record.AAGUID, SignCount: k.record.SignCount}}
	used, err := v.ValidateLogin(holder{u, []webauthn.Credential{known}}, c.session(u, verification(k.method)), answer)
	if err != nil {
		return record{}, nil, refuse(reasonUnverified, err)
	}
	if used.Authenticator.CloneWarning {
		// Two authenticators hold this key, or one that forgot.
		return record{}, nil, refuse(reasonCounter, fmt.Errorf("signature counter went from %d to %d", k.record.SignCount, answer.Response.AuthenticatorData.Counter))
	}
	verified := answer.Response.AuthenticatorData.Flags.HasUserVerified()
	r := k.record
	r.SignCount, r.BackupState = used.Authenticator.SignCount, used.Flags.BackupState
	return r, r.amr(verified), nil
}

// amr is what a credential proves (RFC 8176): a key that stays in its hardware or one that is copied between devices,
// and whether it has made sure of its user.
func (r record) amr(verified bool) []string {
	amr := []string{"hwk"}
	if r.BackupEligible {
		amr = []string{"swk"}
	}
	if verified {
		amr = append(amr, "user")
	}
	return append(amr, "mfa")
}
