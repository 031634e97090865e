package mfa

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/google/uuid"
)

// An attestation statement is what a maker signs of an authenticator. It is asked for where the tenant admits some models
// only; a statement that comes unasked is verified, too, and means nothing. go-webauthn verifies its signature, that the
// certificate fits the format, and that the model in it, if there is one, is that of the credential. Whom the certificate
// is from is asked here, of the tenant's own roots.

// maxCertificates is how many certificates a statement may carry.
const maxCertificates = 8

func (p relyingParty) conveyance() protocol.ConveyancePreference {
	if p.authenticators.Attested() {
		return protocol.PreferDirectAttestation
	}
	return protocol.PreferNoAttestation
}

// certificates are those of a statement. Each has a key that can be used without keeping us busy: the statement is
// verified with the first one's, before anybody asks whom it is from. A compound statement is statements within a
// statement, and nobody is asked for one.
func certificates(o protocol.AttestationObject) (chain []*x509.Certificate, err error) {
	if len(o.SubStatements) > 0 {
		return nil, refuse(reasonUnattested, errors.New("compound"))
	}
	list, _ := o.AttStatement["x5c"].([]any)
	if len(list) > maxCertificates {
		return nil, refuse(reasonUnattested, errors.New("too many certificates"))
	}
	for _, item := range list {
		raw, _ := item.([]byte)
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, refuse(reasonUnattested, err)
		}
		if k, is := c.PublicKey.(*rsa.PublicKey); is && k.N.BitLen() > maxRSABits {
			return nil, refuse(reasonKey, errors.New("certificate with a large RSA key"))
		}
		chain = append(chain, c)
	}
	return chain, nil
}

// admits refuses an authenticator that is not of the tenant's models. The statement has been verified.
func (p relyingParty) admits(o protocol.AttestationObject, chain []*x509.Certificate) error {
	if !p.authenticators.Attested() {
		return nil
	}
	if protocol.AttestationFormat(o.Format) == protocol.AttestationFormatNone {
		return refuse(reasonUnattested, errors.New("no statement"))
	}
	model, err := uuid.FromBytes(o.AuthData.AttData.AAGUID)
	if err != nil || !p.authenticators.Admits(model) {
		return refuse(reasonModel, err)
	}
	return p.descends(chain)
}

var subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// descends wants a chain from one of the tenant's roots, where it has any. Of its critical extensions a TPM's certificate
// names its maker in one that crypto/x509 cannot read and go-webauthn has (WebAuthn Level 3 section 8.3.1).
func (p relyingParty) descends(chain []*x509.Certificate) error {
	roots := p.authenticators.Roots()
	if roots == nil {
		return nil
	}
	if len(chain) == 0 {
		return refuse(reasonUnattested, errors.New("no certificate"))
	}
	leaf := *chain[0]
	leaf.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(leaf.UnhandledCriticalExtensions), subjectAltName.Equal)
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: p.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return refuse(reasonUnattested, err)
	}
	return nil
}
