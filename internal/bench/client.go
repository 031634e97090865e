package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// client keeps a connection for each of 64 callers, as a proxy in front of the service would.
var client = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: time.Minute, DisableCompression: true},
	Timeout:       20 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// answer is what came back.
type answer struct {
	asked  string // what it answers
	status int
	header http.Header
	body   []byte
}

// call is a request to a replica, at a host name that need not resolve. One with an Idempotency-Key in once is sent again
// while the answer is 503 or 429.
type call struct {
	method, url, host, key, bearer, once string
	body                                 []byte
	form                                 url.Values   // of a page of its own; nil: none
	from                                 *http.Client // nil is client
}

func (c call) do(ctx context.Context) (answer, error) {
	body := c.body
	if c.form != nil {
		body = []byte(c.form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, c.method, c.url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Host = c.host
	if c.key != "" {
		r.Header.Set("X-Api-Key", c.key)
	}
	if c.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	if c.once != "" {
		r.Header.Set("Idempotency-Key", c.once)
	}
	if c.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := cmp.Or(c.from, client).Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return answer{c.method + " " + c.host + r.URL.Path, res.StatusCode, res.Header, text}, err
}

// ask sends in as JSON, wants the status, and reads the answer into out unless it is nil.
func ask(ctx context.Context, c call, in any, status int, out any) error {
	if in != nil {
		var err error
		if c.body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	a, err := c.do(ctx)
	for again := 0; err == nil && (a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests) && c.once != "" && again < 5; again++ {
		wait(ctx, time.Second)
		a, err = c.do(ctx)
	}
	if err != nil {
		return err
	}
	if a.status != status {
		return fmt.Errorf("%s %s: status %d, want %d: %s", c.method, c.url, a.status, status, a.body)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(a.body, out)
}
