package rest

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

const loginBody = `{"email":"ada.lovelace@analytical.example","password":"correct horse battery staple","tenant_slug":"analytical"}`

type loginRequest struct {
	Email      string  `json:"email"`
	Password   string  `json:"password"`
	TenantSlug *string `json:"tenant_slug"`
}

func (l loginRequest) Validate() map[string]string { return nil }

type tokenAnswer struct {
	Token            string    `json:"token"`
	ExpiresAt        time.Time `json:"expires_at"`
	RefreshToken     string    `json:"refresh_token"`
	RefreshExpiresAt time.Time `json:"refresh_expires_at"`
	TenantID         string    `json:"tenant_id"`
}

var answer = tokenAnswer{Token: string(bytes.Repeat([]byte("t"), 900)), RefreshToken: string(bytes.Repeat([]byte("r"), 43)), TenantID: "0198c0de-0000-7000-8000-000000000001"}

func login(w http.ResponseWriter, r *http.Request) error {
	if _, err := Decode[loginRequest](r); err != nil {
		return err
	}
	return Respond(w, 200, answer)
}

// sink is a ResponseWriter that costs nothing.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

func bench(b *testing.B, h http.Handler) {
	r := httptest.NewRequest("POST", "/v1/auth/login", nil)
	r.Header.Set("Content-Type", "application/json")
	body := bytes.NewReader([]byte(loginBody))
	w := &sink{h: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		body.Reset([]byte(loginBody))
		r.Body = io.NopCloser(body)
		clear(w.h)
		h.ServeHTTP(w, r)
	}
}

// BenchmarkLogin is all this package does for a login, without the router, the hash and the database.
func BenchmarkLogin(b *testing.B) {
	b.Run("decode and respond", func(b *testing.B) { bench(b, Handler(login)) })
	b.Run("with the middleware, logging", func(b *testing.B) {
		bench(b, Middleware(Options{Log: slog.New(slog.NewJSONHandler(io.Discard, nil))})(Handler(login))) //nolint:sloglint // formatting is part of the cost
	})
}
