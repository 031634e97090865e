// Package mfa will answer the third question about a request: what else must they prove?
//
// It is to manage the challenges of second factors (TOTP, WebAuthn, backup codes) and to hand evidence back to
// identity, which completes the login. There is nothing in it yet; the package stands here because imports point left
// (internal <- migrations <- tenancy <- identity <- mfa <- cmd) and internal/arch holds the tree to that.
package mfa
