package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/tenancy"
)

// misled says of each URL that has to lead to its server and leads to a pooler what to do about it. Servers that do not
// answer are left out: there is another sentence for them, and their connections are refused again when they are opened.
func (p *platform) misled(ctx context.Context) []string {
	databases := p.config.databases()
	found := make([]string, 2*len(databases))
	var all errgroup.Group
	all.SetLimit(8)
	ask := func(sentence *string, url secret, remedy string, args ...any) {
		all.Go(func() error {
			if errors.Is(tenancy.Direct(ctx, string(url)), tenancy.ErrPooled) {
				*sentence = fmt.Sprintf(remedy, args...)
			}
			return nil
		})
	}
	for i, d := range databases {
		if d.DirectURL == "" {
			ask(&found[2*i], d.URL, "%s leads through a connection pooler, so %s must name the server itself: announcements and mails need connections of their own", d.setting("url"), d.setting("direct_url"))
		} else {
			ask(&found[2*i], d.DirectURL, "%s leads through a connection pooler and must name the server itself", d.setting("direct_url"))
		}
		ask(&found[2*i+1], d.ProvisionerURL, "%s leads through a connection pooler and must name the server itself", d.setting("provisioner_url"))
	}
	_ = all.Wait() // nothing fails
	return slices.DeleteFunc(found, func(s string) bool { return s == "" })
}
