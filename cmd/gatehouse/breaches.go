package main

import (
	"crypto/sha1" //nolint:gosec // the name under which breached passwords are known
	"fmt"
	"log/slog"

	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/identity/password/breach"
)

// openBreaches opens the operator's filter of breached passwords, if there is one. Where it is required, an installation
// without it does not start.
func (p *platform) openBreaches() (password.Breaches, error) {
	path := p.config.BreachFilter
	if path == "" {
		return nil, nil
	}
	f, err := breach.Open(path)
	switch {
	case err == nil:
		p.closers = append(p.closers, func() { _ = f.Close() })
		p.log.Info("breach filter opened", "hashes", f.Hashes())
	case p.config.BreachFilterRequired:
		return nil, fmt.Errorf("GATEHOUSE_BREACH_FILTER: %w", err)
	default:
		p.log.Warn("breach filter cannot be used: passwords are set without it", "error", err.Error())
		return nil, nil
	}
	if p.config.BreachFilterRequired {
		return f, nil
	}
	return forgiving{f, p.log}, nil
}

// forgiving takes a filter that cannot be read for one that knows nothing.
type forgiving struct {
	filter *breach.Filter
	log    *slog.Logger
}

// Contains never fails.
func (f forgiving) Contains(sum [sha1.Size]byte) (bool, error) {
	found, err := f.filter.Contains(sum)
	if err != nil {
		f.log.Warn("breach filter cannot be read: a password is set without it", "error", err.Error())
		return false, nil
	}
	return found, nil
}
