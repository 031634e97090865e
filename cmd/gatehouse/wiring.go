package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/identity/guessing"
	"github.com/gatehouse-id/gatehouse/identity/password"
	"github.com/gatehouse-id/gatehouse/identity/policyadmin"
	"github.com/gatehouse-id/gatehouse/identity/transfer"
	"github.com/gatehouse-id/gatehouse/mfa"
	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
	"github.com/gatehouse-id/gatehouse/tenancy/fairshare"
	"github.com/gatehouse-id/gatehouse/tenancy/mail"
	tenantsettings "github.com/gatehouse-id/gatehouse/tenancy/settings"
)

// platform is the service put together: the drawing in code, from left to right.
type platform struct {
	config     config
	log        *slog.Logger
	now        func() time.Time
	custodian  custody.Custodian
	keymaster  custody.Keymaster
	db         *tenancy.DB
	directory  *tenancy.Directory
	front      tenancy.Front
	keyring    *tenancy.Keyring
	repeat     *tenancy.Repeat
	domains    *tenancy.Domains
	provision  *tenancy.Provisioner
	rotator    *tenancy.Rotator
	bundles    *tenancy.Bundles
	settings   *tenantsettings.Store
	policies   *policyadmin.Store
	throttle   *guessing.Throttle
	factors    *mfa.Factors
	desk       *mfa.Desk
	logins     *identity.Logins
	sessions   *identity.Sessions
	guard      *identity.Guard
	users      *identity.Users
	transfers  *transfer.Transfers
	profiles   *identity.Profiles
	links      *identity.Links
	apiKeys    *identity.APIKeys
	audit      *audit.Log
	outbox     *tenancy.Outbox
	mail       *mail.Sender             // nil where no mail server is set
	jobs       map[string]*pgxpool.Pool // of each database
	closers    []func()
	background sync.WaitGroup
}

// wire puts the parts together and connects to nothing it can do without: a dependency that is down makes requests fail
// with 503 and not the start.
func wire(ctx context.Context, c config, log *slog.Logger) (_ *platform, err error) {
	p := &platform{config: c, log: log}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := p.openCustody(); err != nil {
		return nil, err
	}
	patience, gate, callPatience := identity.DefaultPatience, fairshare.Options{Slots: cores()}, time.Second/2
	if c.patient {
		patience, gate.MaxWait, callPatience = time.Minute, time.Minute, time.Minute
	}
	p.custodian = custody.Share(p.custodian, 8*cores(), callPatience)
	serving, provisioning, err := p.openDatabases(ctx)
	if err != nil {
		return nil, err
	}
	now := c.now
	if now == nil {
		now = time.Now
	}
	p.now = now

	// tenancy: whose is it?
	p.db = tenancy.NewDB(tenancy.DBOptions{Control: serving[c.Database], Tenants: serving})
	p.directory = tenancy.NewDirectory(tenancy.DirectoryOptions{DB: p.db, Now: now})
	p.front = tenancy.Front{Resolver: tenancy.NewResolver(p.directory, c.Address), Trusted: c.TrustedProxies}
	p.keyring = tenancy.NewKeyring(p.db, now)
	p.repeat = tenancy.NewRepeat(p.db, p.custodian, now)
	p.audit = &audit.Log{DB: p.db, Keyring: p.keyring, Signer: p.custodian, Now: now}
	p.outbox = &tenancy.Outbox{DB: p.db, Directory: p.directory, Ledger: audit.Ledger{Beside: identity.TellAdministrators}, Log: log}
	p.provision = tenancy.NewProvisioner(tenancy.ProvisionerOptions{
		Control: provisioning[c.Database].ProvisioningDB, Placements: provisioning, Serving: p.db,
		Ready: int(c.ReadySchemas), Home: c.Database, Region: c.Region, Keys: p.keymaster, Furnisher: identity.Furnisher{}, Outbox: p.outbox,
		Receipts: &tenancy.Receipts{Directory: p.directory, Keyring: p.keyring, Signer: p.custodian},
		Reserved: []tenancy.Host{c.Address.Shared()}, DomainSuffix: c.TenantDomain, Now: now, Log: log,
	})
	p.rotator = tenancy.NewRotator(tenancy.RotatorOptions{DB: p.db, Directory: p.directory, Control: provisioning[c.Database].ProvisioningDB, Keys: p.keymaster, Outbox: p.outbox,
		Times: tenancy.NewKeyTimes(identity.LongestAccess, time.Duration(c.KeyRotationDays)*24*time.Hour), Now: now, Log: log})
	p.domains = tenancy.NewDomains(p.domainOptions(now))

	// identity: who is asking?
	p.settings = tenantsettings.NewStore(p.db, now)
	hosts := tenancy.NewHosts(p.db)
	sealing := tenancy.NewSealingKeys(p.custodian, now)
	p.policies = policyadmin.NewStore(policyadmin.StoreOptions{DB: p.db, Directory: p.directory, Repeat: p.repeat, Settings: p.settings, Now: now})
	judge := &identity.Judge{DB: p.db, Policies: p.policies, Settings: p.settings, Now: now}
	p.factors = mfa.New(mfa.Options{DB: p.db, Settings: p.settings, Judge: judge, Keys: p.custodian, Sealing: sealing, Address: c.Address,
		Hosts: hosts, Now: now, Log: log})
	tokens := &identity.Tokens{Keyring: p.keyring, Signer: p.custodian, Address: c.Address, Now: now}
	breaches, err := p.openBreaches()
	if err != nil {
		return nil, err
	}
	imported := transfer.NewImported(p.db, p.directory, p.custodian)
	hasher := password.NewHasher(fairshare.NewGate(gate), password.DefaultParams).WithImports(imported)
	p.throttle = guessing.NewThrottle(guessing.ThrottleOptions{DB: p.db, Keys: p.custodian, Now: now})
	p.logins = identity.NewLogins(identity.LoginsOptions{DB: p.db, Directory: p.directory, Hasher: hasher, Keys: p.custodian, Sealing: sealing,
		Settings: p.settings, Tokens: tokens, Factors: p.factors, Judge: judge, Throttle: p.throttle, Patience: patience, Now: now, Log: log})
	p.sessions = &identity.Sessions{DB: p.db, Now: now}
	p.desk = &mfa.Desk{Factors: p.factors, Logins: p.logins}
	p.guard = &identity.Guard{Front: p.front, Judge: judge, Callers: &identity.Callers{DB: p.db, Tokens: tokens, Now: now}}
	p.users = identity.NewUsers(identity.UsersOptions{DB: p.db, Repeat: p.repeat, Hasher: hasher, Keys: p.custodian,
		Throttle: p.throttle, Settings: p.settings, Hosts: hosts, Breaches: breaches, Now: now})
	p.transfers = transfer.New(transfer.Options{DB: p.db, Imported: imported, Now: now, Log: log})
	p.bundles = tenancy.NewBundles(tenancy.BundlesOptions{Provisioner: p.provision, Keyring: p.keyring, Custodian: p.custodian, Address: c.Address,
		Times: p.rotator.Times, Belongings: []tenancy.Belonging{transfer.Belonging{Imported: imported}, mfa.Belonging{Factors: p.factors}}})
	p.profiles = &identity.Profiles{DB: p.db, Now: now}
	p.links = identity.NewLinks(identity.LinksOptions{DB: p.db, Users: p.users, Logins: p.logins, Throttle: p.throttle, Now: now})
	p.apiKeys = &identity.APIKeys{DB: p.db, Repeat: p.repeat, Now: now}

	// mail: what was posted is sent. Kinds that carry a link are composed by whoever makes the link.
	linked := identity.Composer{Address: c.Address, Now: now}
	return p, p.openMail(mail.Composers{ByKind: linked.Composers(), Others: identity.Greeting{}}, now)
}

// openDatabases opens each database three times: to serve, to provision, and to work its jobs.
func (p *platform) openDatabases(ctx context.Context) (serving map[string]*tenancy.Pool, provisioning map[string]tenancy.Placement, err error) {
	serving, provisioning, p.jobs = map[string]*tenancy.Pool{}, map[string]tenancy.Placement{}, map[string]*pgxpool.Pool{}
	for _, d := range p.config.databases() {
		pool, err := tenancy.NewPool(string(d.URL), d.Connections)
		if err != nil {
			return nil, nil, err
		}
		p.closers = append(p.closers, pool.Close)
		if err := pool.Around(string(d.direct())); err != nil {
			return nil, nil, err
		}
		provisioner, err := tenancy.NewProvisioningPool(ctx, string(d.ProvisionerURL), provisioningConnections)
		if err != nil {
			return nil, nil, err
		}
		p.closers = append(p.closers, provisioner.Close)
		jobs, err := tenancy.NewJobsPool(ctx, string(d.direct()), jobsConnections)
		if err != nil {
			return nil, nil, err
		}
		p.closers = append(p.closers, jobs.Close)
		serving[d.Name], p.jobs[d.Name] = pool, jobs
		provisioning[d.Name] = tenancy.Placement{ProvisioningDB: tenancy.NewProvisioningDB(provisioner, pool.User()), Capacity: int(d.Capacity)}
	}
	return serving, provisioning, nil
}

func (p *platform) openMail(composers mail.Composers, now func() time.Time) (err error) {
	o := mail.SenderOptions{DB: p.db, Directory: p.directory, Settings: p.settings, Composers: composers, Now: now, Log: p.log}
	if p.config.Mail.configured() {
		server := p.config.Mail.Server
		server.Password, server.Name = string(p.config.Mail.Password), string(p.config.Address.Shared())
		if o.Transport, err = mail.NewSMTP(server, p.config.Mail.From); err != nil {
			return err
		}
	}
	p.mail = mail.NewSender(o)
	return nil
}

func (p *platform) domainOptions(now func() time.Time) tenancy.DomainsOptions {
	o := tenancy.DomainsOptions{DB: p.db, Repeat: p.repeat, Outbox: p.outbox, DNS: tenancy.NewTXT(p.config.DNSServer), Grace: p.config.DomainGrace, Now: now,
		Platform: []tenancy.Host{p.config.Address.Shared()}}
	if p.config.TenantDomain != "" {
		o.Platform = append(o.Platform, p.config.TenantDomain)
	}
	if p.config.localNames {
		o.Unproved = "localhost"
	}
	return o
}

// openCustody opens the key custody twice, as two logins: what serves requests may use keys, what provisions may make
// and destroy them.
func (p *platform) openCustody() error {
	if dir := p.config.SoftwareCustody; dir != "" {
		s, err := custody.OpenSoftware(dir)
		if err != nil {
			return err
		}
		p.custodian, p.keymaster = s, s
		return nil
	}
	serving := p.config.Vault
	serving.Log = p.log
	provisioning := serving
	provisioning.Login = p.config.VaultProvisioner
	for _, open := range []struct {
		config custody.VaultConfig
		use    func(*custody.Vault)
	}{
		{serving, func(v *custody.Vault) { p.custodian = v }},
		{provisioning, func(v *custody.Vault) { p.keymaster = v }},
	} {
		v, err := custody.OpenVault(open.config)
		if err != nil {
			return err
		}
		p.closers = append(p.closers, func() { _ = v.Close() })
		open.use(v)
	}
	return nil
}

// start runs what goes on beside requests until ctx ends.
func (p *platform) start(ctx context.Context) {
	p.background.Go(func() { p.directory.Listen(ctx, p.log) })
	p.background.Go(func() { p.warnOfBudget(ctx) })
	p.background.Go(func() { p.provision.KeepReady(ctx) })
	p.background.Go(func() { p.db.Watch(ctx, p.log) })
	work := p.mail.Work
	if !p.config.Mail.configured() {
		p.log.LogAttrs(ctx, slog.LevelWarn, "mails wait: no mail server is set (GATEHOUSE_SMTP_URL)")
		work = p.mail.Expire
	}
	for _, jobs := range p.jobs {
		p.background.Go(func() { work(ctx, jobs) })
	}
	p.background.Go(func() { p.outbox.Run(ctx) })
	p.background.Go(func() { p.rotator.Run(ctx) })
	p.background.Go(func() { p.keyring.Watch(ctx, p.directory, p.log) })
	if !p.config.development { // whose names nobody could look up
		p.background.Go(func() { p.domains.Recheck(ctx, p.log, time.Minute) })
	}
	if !p.config.unsealed {
		p.background.Go(func() { (&audit.Sealer{Log: p.audit, Directory: p.directory, Logger: p.log}).Run(ctx) })
	}
	// Each by itself: a large tenant takes minutes to destroy, and whoever waits for one that is half made waits in seconds.
	abandoned := func(do func(context.Context, time.Duration) error) func(context.Context) error {
		return func(ctx context.Context) error { return do(ctx, tenancy.Abandoned) }
	}
	p.again(ctx, 30*time.Second, "provisioning", abandoned(p.provision.FinishAll))
	p.again(ctx, 30*time.Second, "deletion", abandoned(p.provision.DestroyAll))
	p.again(ctx, 5*time.Second, "move", p.provision.SettleMoves) // a tenant whose mover died in the pause cannot be written to until then
}

// again does what crashed replicas left undone, now and then until ctx ends.
func (p *platform) again(ctx context.Context, rest time.Duration, what string, do func(context.Context) error) {
	p.background.Go(func() {
		for wait := 5 * time.Second; sleep(ctx, wait); wait = rest {
			if err := do(ctx); err != nil && ctx.Err() == nil {
				p.log.LogAttrs(ctx, slog.LevelWarn, "what another replica left undone is not done yet", slog.String("what", what), slog.Any("error", err))
			}
		}
	})
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// close waits for what start began and closes connections.
func (p *platform) close() {
	p.background.Wait()
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
}

// notMigrated is what Postgres says where the roles are there, or not even those, and the tables are not: undefined table,
// schema, role, and a role that is not ours to take.
var notMigrated = []string{"42P01", "3F000", "22023", "42704", "42501"}

// checkDatabase refuses to serve with a role that could do harm, or with a directory that is behind. Other databases are put
// aside instead.
func (p *platform) checkDatabase(ctx context.Context) error {
	err := p.db.Check(ctx)
	var unsafe *tenancy.UnsafeRoleError
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &unsafe):
		return err
	case errors.As(err, &refused) && slices.Contains(notMigrated, refused.Code):
		return errors.New("the database is not ready: it has no directory of tenants that this role can read: run gatehouse migrate (at first after gatehouse migrate roles)")
	case errors.Is(err, syscall.ECONNREFUSED) && p.config.Region == devRegion && !p.config.development:
		return errors.New("the database is not ready: connection refused: is make dev running, and was its env file read since it started?")
	case err != nil:
		return fmt.Errorf("the database is not ready: %w", plain(err))
	}
	return nil
}
