package tenancy

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy/bundle"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// keepsake is a belonging: what stands in avatars is sealed, for its user.
type keepsake struct{ custody.Custodian }

func (keepsake) Column() SealedColumn {
	return SealedColumn{Table: "users", User: "id", Column: "avatar", Sealed: "avatar is not null"}
}

func (k keepsake) Open(ctx context.Context, t Tenant, u id.User, sealed string) ([]byte, error) {
	return k.Custodian.Open(ctx, t.ID, sealed, u[:])
}

func (k keepsake) Seal(ctx context.Context, t Tenant, u id.User, plain []byte) (string, error) {
	return k.Custodian.Seal(ctx, t.ID, plain, u[:])
}

func (keepsake) Estrange(ctx context.Context, tx Tx) (map[string]int64, error) {
	tag, err := tx.Exec(ctx, `update users set last_name = 'estranged'`)
	return map[string]int64{"names": tag.RowsAffected()}, err
}

func (p *platform) bundles(t testing.TB, by *Provisioner) *Bundles {
	t.Helper()
	address, err := ParseAddress("https://id.example")
	check(t, err)
	return NewBundles(BundlesOptions{Provisioner: by, Keyring: NewKeyring(p.db, p.clock.now), Custodian: p.runtime, Address: address, Times: testTimes,
		Belongings: []Belonging{keepsake{p.runtime}}})
}

// elsewhere is a platform with a Vault of its own.
func elsewhere(t testing.TB) *platform {
	t.Helper()
	in := tenancytest.Install(t)
	in.Runtime, in.Provisioner, _ = tenancytest.OwnVault(t)
	p := assemble(t, in)
	p.options.DomainSuffix = "others.example"
	p.provision = NewProvisioner(p.options)
	return p
}

// packed is a tenant with an owner, a keepsake and a claimed domain, in a bundle.
func (p *platform) packed(t testing.TB) (Tenant, []byte) {
	t.Helper()
	made, err := p.provision.Create(t.Context(), owned())
	check(t, err)
	tenant := made.Tenant
	owner := ask[id.User](t, p, "select id from "+namespace(tenant.ID)+".users")
	sealed, err := keepsake{p.runtime}.Seal(t.Context(), tenant, owner, []byte("keepsake"))
	check(t, err)
	p.do(t, "update "+namespace(tenant.ID)+".users set avatar = $1", sealed)
	p.do(t, `insert into control.domains (id, tenant_id, domain, uses, verification_token, created_at)
		values (gen_random_uuid(), $1, 'login.acme.example', '{host}', 'token', now())`, tenant.ID)
	var b bytes.Buffer
	_, _, err = p.bundles(t, p.provision).Export(t.Context(), operator, tenant, &b)
	check(t, err)
	return tenant, b.Bytes()
}

func reading(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// wantArrived holds a tenant that came in against what it was.
func (p *platform) wantArrived(t testing.TB, was Tenant) {
	t.Helper()
	now, err := p.directory.Read(t.Context(), was.ID)
	check(t, err)
	if now.State != Active || now.Slug != was.Slug || now.Name != was.Name || now.OwnerID != was.OwnerID || !now.CreatedAt.Equal(was.CreatedAt) ||
		now.SchemaVersion != was.SchemaVersion || now.Database != testDatabase || len(now.FormerIssuers) != 1 {
		t.Errorf("it was %+v and is %+v", was, now)
	}
	schema := namespace(was.ID)
	if got := ask[string](t, p, "select concat_ws(' ', email, last_name) from "+schema+".users"); got != was.OwnerEmail+" estranged" {
		t.Errorf("its people are %s", got)
	}
	sealed, user := ask[string](t, p, "select avatar from "+schema+".users"), ask[id.User](t, p, "select id from "+schema+".users")
	if plain, err := (keepsake{p.runtime}).Open(t.Context(), now, user, sealed); err != nil || string(plain) != "keepsake" {
		t.Errorf("what was sealed is %q, %v", plain, err)
	}
	if got := ask[string](t, p, "select string_agg(version || ' ' || state, ', ' order by version) from "+schema+".signing_keys"); got != "-1 retiring, 1 active" {
		t.Errorf("its keys are %s", got)
	}
	if got := ask[string](t, p, "select string_agg(domain || ' ' || (verified_at is not null), ', ' order by domain) from control.domains where tenant_id = $1", was.ID); got !=
		string(was.Slug)+".others.example true, login.acme.example false" {
		t.Errorf("its domains are %s", got)
	}
	keys, err := NewKeyring(p.db, p.clock.now).Of(t.Context(), now)
	check(t, err)
	if _, err := p.runtime.Sign(t.Context(), was.ID, keys.Active.SigningKey, []byte("x")); err != nil || len(keys.Public) != 2 {
		t.Errorf("verifiers are told %s; signing: %v", keys.JWKS, err)
	}
	p.do(t, "insert into "+schema+".users (id, email, name, roles, created_at, updated_at) values (gen_random_uuid(), 'new@acme.example', 'New', '{}', now(), now())")
	p.do(t, "delete from "+schema+".users where email = 'new@acme.example'")
}

// An import may be killed after each of its steps and be begun again, and then nothing is different from one that was not; or it is taken
// back, and nothing is left of it.
func TestAnInterruptedImportIsTakenUpOrBack(t *testing.T) {
	t.Parallel()
	from := newPlatform(t)
	to := elsewhere(t)
	lose := ImportOptions{LoseKeys: true}
	for _, step := range []string{"none", "reserve", "keys", "schema"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			tenant, file := from.packed(t)
			dying := to.bundles(t, to.crashing(step))
			if step != "none" {
				if _, err := dying.Import(t.Context(), operator, reading(file), lose); !errors.Is(err, errCrash) {
					t.Fatalf("it did not die: %v", err)
				}
				check(t, to.provision.FinishAll(t.Context(), 0)) // which is for tenants that are made
				to.invisible(t, tenant.Slug)
				check(t, to.bundles(t, to.provision).Discard(t.Context(), tenant.Slug))
				left := ask[int](t, to, `select (select count(*) from control.tenants where id = $1) + (select count(*) from control.domains where tenant_id = $1)
					+ (select count(*) from pg_namespace where nspname = $2) + (select count(*) from pg_roles where rolname = $2)`, tenant.ID, namespace(tenant.ID))
				if _, _, err := to.runtime.HMAC(t.Context(), tenant.ID, 1, nil); left > 1 || !errors.Is(err, custody.ErrNoKey) { // the role is the exporting side's, on the same server
					t.Errorf("%d things are left, and of its keys: %v", left, err)
				}
				if _, err := dying.Import(t.Context(), operator, reading(file), lose); !errors.Is(err, errCrash) {
					t.Fatalf("it did not die again: %v", err)
				}
				if _, other := from.again(t, tenant); true {
					if _, err := to.bundles(t, to.provision).Import(t.Context(), operator, reading(other), lose); !errors.Is(err, ErrHere) {
						t.Errorf("another bundle comes between: %v", err)
					}
				}
			}
			in, err := to.bundles(t, to.provision).Import(t.Context(), operator, reading(file), lose)
			check(t, err)
			if in.Database != testDatabase || step != "schema" && in.Lost["names"] != 1 {
				t.Errorf("it says %+v", in)
			}
			to.wantArrived(t, tenant)
			if _, err := to.bundles(t, to.provision).Import(t.Context(), operator, reading(file), lose); !errors.Is(err, ErrHere) {
				t.Errorf("once more: %v", err)
			}
			if err := to.bundles(t, to.provision).Discard(t.Context(), tenant.Slug); !errors.Is(err, ErrUnknown) {
				t.Errorf("a tenant that is in use is discarded: %v", err)
			}
		})
	}
}

// Taking an import back may be killed, too, and nobody goes on with what was begun to be taken back: its keys are gone.
func TestAnInterruptedDiscardIsGoneOnWith(t *testing.T) {
	t.Parallel()
	from := newPlatform(t)
	to := elsewhere(t)
	lose := ImportOptions{LoseKeys: true}
	for _, step := range []string{"mark", "drop", "destroy"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			tenant, file := from.packed(t)
			if _, err := to.bundles(t, to.crashing("schema")).Import(t.Context(), operator, reading(file), lose); !errors.Is(err, errCrash) {
				t.Fatalf("it did not die: %v", err)
			}
			if err := to.bundles(t, to.crashing(step)).Discard(t.Context(), tenant.Slug); !errors.Is(err, errCrash) {
				t.Fatalf("it did not die: %v", err)
			}
			if _, err := to.bundles(t, to.provision).Import(t.Context(), operator, reading(file), lose); !errors.Is(err, ErrDiscarded) {
				t.Errorf("what is taken back is gone on with: %v", err)
			}
			check(t, to.bundles(t, to.provision).Discard(t.Context(), tenant.Slug))
			_, err := to.bundles(t, to.provision).Import(t.Context(), operator, reading(file), lose)
			check(t, err)
			to.wantArrived(t, tenant)
		})
	}
}

// An import that is taken back while it fills the schema comes to nothing, and leaves nothing.
func TestAnImportIsTakenBackWhileItIsUnderWay(t *testing.T) {
	t.Parallel()
	from := newPlatform(t)
	to := elsewhere(t)
	for _, at := range []string{"reserve", "keys", "schema"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			tenant, file := from.packed(t)
			o := to.options
			o.afterStep = func(step string) error {
				if step == at {
					return to.bundles(t, to.provision).Discard(t.Context(), tenant.Slug)
				}
				return nil
			}
			if _, err := to.bundles(t, NewProvisioner(o)).Import(t.Context(), operator, reading(file), ImportOptions{LoseKeys: true}); !errors.Is(err, ErrDiscarded) {
				t.Errorf("it ends with %v", err)
			}
			left := ask[int](t, to, `select (select count(*) from control.tenants where id = $1) + (select count(*) from pg_namespace where nspname = $2)`, tenant.ID, namespace(tenant.ID))
			if left != 0 {
				t.Errorf("%d things are left", left)
			}
		})
	}
}

// again is another bundle of a tenant.
func (p *platform) again(t testing.TB, tenant Tenant) (Tenant, []byte) {
	t.Helper()
	var b bytes.Buffer
	_, _, err := p.bundles(t, p.provision).Export(t.Context(), operator, tenant, &b)
	check(t, err)
	return tenant, b.Bytes()
}

// Two that take in the same bundle at once take it in once.
func TestTwoImportsAtOnceAreOne(t *testing.T) {
	t.Parallel()
	tenant, file := newPlatform(t).packed(t)
	to := elsewhere(t)
	outcomes := make(chan string, 4)
	inParallel(t, cap(outcomes), func(int) error {
		for {
			_, err := to.bundles(t, to.provision).Import(t.Context(), operator, reading(file), ImportOptions{LoseKeys: true})
			if codeOf(err) == "unavailable" { // another was about to reserve it
				continue
			}
			if errors.Is(err, ErrHere) {
				err = nil // another was done with it
			}
			outcomes <- codeOf(err)
			return nil
		}
	})
	close(outcomes)
	for o := range outcomes {
		if o != "ok" {
			t.Errorf("one of them ends with %s", o)
		}
	}
	to.wantArrived(t, tenant)
}

// A bundle takes nobody's place, and neither the dead nor another platform's own tenant come in.
func TestAnImportTakesNobodysPlace(t *testing.T) {
	t.Parallel()
	from := newPlatform(t)
	tenant, file := from.packed(t)
	to, master := signing(t, elsewhere(t))
	bundles, lose := to.bundles(t, to.provision), ImportOptions{LoseKeys: true}

	w := wanted()
	w.Slug = tenant.Slug
	holder, err := to.provision.Create(t.Context(), w)
	check(t, err)
	if _, err := bundles.Import(t.Context(), operator, reading(file), lose); codeOf(err) != "slug_taken" {
		t.Errorf("into somebody's slug: %v", err)
	}
	check(t, to.renamed(t, holder.Tenant, newSlug()))
	if _, err := bundles.Import(t.Context(), operator, reading(file), lose); codeOf(err) != "slug_taken" {
		t.Errorf("into somebody's former slug: %v", err)
	}
	_, err = to.provision.Delete(t.Context(), byNobody, holder.Tenant.ID)
	check(t, err)
	to.do(t, "delete from control.parked_slugs")
	if _, err := bundles.Import(t.Context(), operator, reading(file), ImportOptions{LoseKeys: true, Database: "nowhere"}); codeOf(err) != "invalid_request" {
		t.Errorf("into no database: %v", err)
	}
	if _, err := bundles.Import(t.Context(), operator, reading(file), ImportOptions{LoseKeys: true, KID: "another"}); !errors.Is(err, ErrOtherSigner) {
		t.Errorf("of another signer: %v", err)
	}
	if _, err := bundles.Import(t.Context(), operator, reading(file), ImportOptions{KeepKeys: true}); !errors.Is(err, ErrOtherKeys) {
		t.Errorf("without its keys: %v", err)
	}
	if n := ask[int](t, to, "select count(*) from control.tenants where id <> $1", master.ID); n != 0 {
		t.Errorf("refusals have left %d records", n)
	}
	if _, _, err := to.runtime.HMAC(t.Context(), tenant.ID, 1, nil); !errors.Is(err, custody.ErrNoKey) {
		t.Errorf("refusals have made keys: %v", err)
	}

	_, err = bundles.Import(t.Context(), operator, reading(file), lose)
	check(t, err)
	_, err = to.provision.Delete(t.Context(), byNobody, tenant.ID)
	check(t, err)
	if _, err := bundles.Import(t.Context(), operator, reading(file), lose); !errors.Is(err, ErrHere) {
		t.Errorf("a tenant that was deleted comes back: %v", err)
	}
	if _, _, err := bundles.Export(t.Context(), operator, master, io.Discard); codeOf(err) != "platform_protected" {
		t.Errorf("the platform leaves: %v", err)
	}
}

// Whoever changes a bundle without the tenant's key, in whatever way, is found out.
func TestAnAlteredBundleIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	_, file := p.packed(t)
	o, err := OpenBundle(reading(file))
	check(t, err)
	if o.Rows("users") != 1 || string(o.opened[keepsake{}.Column().part()][ask[id.User](t, p, "select id from "+namespace(o.Tenant.ID)+".users").String()]) != "keepsake" {
		t.Errorf("it holds %+v", o)
	}
	dotted := strings.Split(string(file), ".") // its last three parts are those of the signed manifest
	claims, signature := dotted[len(dotted)-2], dotted[len(dotted)-1]
	payload, err := base64.RawURLEncoding.DecodeString(claims)
	check(t, err)
	renamed := base64.RawURLEncoding.EncodeToString(bytes.Replace(payload, []byte(o.Tenant.Slug), []byte(strings.Repeat("x", len(o.Tenant.Slug))), 1))
	for what, altered := range map[string][]byte{
		"a row":         bytes.Replace(file, []byte("owner@acme.example"), []byte("crook@acme.example"), 1),
		"the manifest":  bytes.Replace(file, []byte(claims), []byte(renamed), 1),
		"the signature": bytes.Replace(file, []byte(signature), []byte(strings.Repeat("A", len(signature))), 1),
		"its end":       file[:len(file)-1],
		"behind it":     append(bytes.Clone(file), 0),
	} {
		if _, err := OpenBundle(reading(altered)); err == nil || bytes.Equal(altered, file) {
			t.Errorf("%s can be altered: %v", what, err)
		} else if what == "a row" && !errors.Is(err, bundle.ErrAltered) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
