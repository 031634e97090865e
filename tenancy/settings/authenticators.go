package settings

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Authenticators says which passkeys and security keys may be registered, by make. It holds for registrations: who has a
// key of another make keeps it.
type Authenticators struct {
	// AllowedAAGUIDs are the models (WebAuthn Level 3 section 6.5.1); empty: any.
	AllowedAAGUIDs []string `json:"allowed_aaguids"`
	// AttestationRoots are certificates in PEM that an authenticator's certificate must descend from; empty: what an
	// authenticator says of its model is taken for true.
	AttestationRoots []string `json:"attestation_roots"`
}

const (
	maxAAGUIDs         = 100
	maxRoots           = 10
	maxCertificateText = 4096
)

// Attested reports whether an authenticator has to say what it is.
func (a Authenticators) Attested() bool { return len(a.AllowedAAGUIDs)+len(a.AttestationRoots) > 0 }

// Admits reports whether a model may be registered.
func (a Authenticators) Admits(aaguid uuid.UUID) bool {
	return len(a.AllowedAAGUIDs) == 0 || slices.Contains(a.AllowedAAGUIDs, aaguid.String())
}

// Roots are the certificates, nil where there are none. They must have passed check.
func (a Authenticators) Roots() *x509.CertPool {
	if len(a.AttestationRoots) == 0 {
		return nil
	}
	pool := x509.NewCertPool()
	for _, text := range a.AttestationRoots {
		if c, err := parseRoot(text); err == nil {
			pool.AddCert(c)
		}
	}
	return pool
}

// tidy makes both lists sets, with ids as we write them.
func (a *Authenticators) tidy() {
	for i, text := range a.AllowedAAGUIDs {
		a.AllowedAAGUIDs[i] = strings.ToLower(text)
	}
	for _, list := range []*[]string{&a.AllowedAAGUIDs, &a.AttestationRoots} {
		*list = asSet(*list)
	}
}

func (a Authenticators) check(bad map[string]string) {
	if len(a.AllowedAAGUIDs) > maxAAGUIDs || slices.ContainsFunc(a.AllowedAAGUIDs, badAAGUID) {
		bad["mfa.allowed_aaguids"] = fmt.Sprintf("must be at most %d UUIDs other than zero, which stands for no model", maxAAGUIDs)
	}
	if len(a.AttestationRoots) > maxRoots || slices.ContainsFunc(a.AttestationRoots, badRoot) {
		bad["mfa.attestation_roots"] = fmt.Sprintf("must be at most %d PEM texts of one certificate each, of at most %d characters", maxRoots, maxCertificateText)
	}
}

// badAAGUID wants the form with hyphens: uuid.Parse takes others, too.
func badAAGUID(text string) bool {
	u, err := uuid.Parse(text)
	return err != nil || u == uuid.Nil || u.String() != text
}

func badRoot(text string) bool { _, err := parseRoot(text); return err != nil }

func parseRoot(text string) (*x509.Certificate, error) {
	if len(text) > maxCertificateText {
		return nil, errors.New("too long")
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, errors.New("not one certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}
