package mail

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/migrations"
)

const (
	atOnce   = 8                // mails a replica sends at a time
	jobBound = 50 * time.Second // for one attempt
	rescue   = time.Minute      // after which the job of a killed process is somebody else's
	stopping = 10 * time.Second // for attempts under way when the service stops
)

// jobArgs is what a job says; migrations/jobs.sql writes it. It names the mail and holds nothing of it.
type jobArgs struct {
	Tenant id.Tenant `json:"tenant"`
	Mail   uuid.UUID `json:"mail"`
}

// Kind is the name of the jobs.
func (jobArgs) Kind() string { return "mail" }

// Work sends what is posted in one database until ctx ends. The pool's connections have taken on migrations.JobsRole. Any
// number of replicas may do it: each job is one's at a time.
func (s *Sender) Work(ctx context.Context, pool *pgxpool.Pool) {
	for ctx.Err() == nil {
		if err := s.work(ctx, pool); err != nil && ctx.Err() == nil {
			s.Log.LogAttrs(ctx, slog.LevelWarn, "mail: the jobs cannot be read, mails wait", slog.Any("error", err))
		}
		pause(ctx, 2*time.Second)
	}
}

func (s *Sender) work(ctx context.Context, pool *pgxpool.Pool) error {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{sender: s}); err != nil {
		return err
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema:  migrations.JobsSchema,
		Queues:  map[string]river.QueueConfig{"mail": {MaxWorkers: atOnce}},
		Workers: workers, Logger: slog.New(failures{s.Log.Handler()}),
		JobTimeout: jobBound, RescueStuckJobsAfter: rescue, SoftStopTimeout: stopping,
		// A job that is done is of no use to anybody.
		CompletedJobRetentionPeriod: time.Hour, CancelledJobRetentionPeriod: time.Hour,
		ReindexerIndexNames: []string{}, // only the owner of the tables may
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	<-client.Stopped()
	return nil
}

// Expire gives up what is too old to be sent, until ctx ends. It is for a service that nobody has named a mail server to: mails
// wait there for one, and anybody may ask for more of them. Replicas that have a server do it as they send.
func (s *Sender) Expire(ctx context.Context, pool *pgxpool.Pool) {
	for wait := time.Second; pause(ctx, wait); wait = 10 * time.Minute {
		if err := s.ExpireNow(ctx, pool); err != nil && ctx.Err() == nil {
			s.Log.LogAttrs(ctx, slog.LevelWarn, "mail: what is too old could not be given up", slog.Any("error", err))
		}
	}
}

// ExpireNow is one round of Expire.
func (s *Sender) ExpireNow(ctx context.Context, pool *pgxpool.Pool) error {
	jobs := migrations.JobsSchema + ".river_job"
	rows, err := pool.Query(ctx, `select id, args from `+jobs+` where kind = 'mail' and state <> 'running' and finalized_at is null
		and created_at < $1 order by id limit 10000`, s.Now().Add(-keepTrying))
	if err != nil {
		return err
	}
	type old struct {
		ID   int64
		Args jobArgs
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[old])
	for _, j := range all {
		if err = s.expire(ctx, j.Args.Tenant, j.Args.Mail); err != nil {
			return err
		}
		if _, err = pool.Exec(ctx, `delete from `+jobs+` where id = $1`, j.ID); err != nil {
			return err
		}
	}
	return err
}

type worker struct {
	river.WorkerDefaults[jobArgs]
	sender *Sender
}

// Work sends one mail.
func (w *worker) Work(ctx context.Context, job *river.Job[jobArgs]) error {
	err := w.sender.Send(ctx, job.Args.Tenant, job.Args.Mail)
	if errors.Is(err, ErrWait) {
		return river.JobSnooze(15 * time.Minute)
	}
	if errors.Is(err, errTooEarly) {
		return river.JobSnooze(time.Second + w.sender.age(job.Args.Mail))
	}
	if err != nil {
		w.sender.Log.LogAttrs(ctx, slog.LevelWarn, "mail: not sent, to be tried again", slog.String("tenant_id", job.Args.Tenant.String()),
			slog.String("mail_id", job.Args.Mail.String()), slog.Int("attempt", job.Attempt), slog.Any("error", err))
	}
	return err
}

var waits = []time.Duration{2 * time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 3 * time.Minute, 5 * time.Minute}

// NextRetry is soon after the first failures, and then every ten minutes until the mail is too old to be sent. Mails that
// failed together do not come back together.
func (w *worker) NextRetry(job *river.Job[jobArgs]) time.Time {
	wait := 10 * time.Minute
	if job.Attempt <= len(waits) {
		wait = waits[max(job.Attempt, 1)-1]
	}
	return time.Now().Add(wait + time.Duration(rand.Int64N(int64(wait)/5))) //nolint:gosec // spreads load, hides nothing
}

// failures passes on what the library says of its own troubles. That an attempt failed, Work has said.
type failures struct{ slog.Handler }

// Enabled leaves out the library's course of business.
func (failures) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
