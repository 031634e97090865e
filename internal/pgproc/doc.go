// Package pgproc runs a private Postgres cluster as a child process: for `gatehouse dev`, whose user has no server to
// name, and for tests. It finds or installs the server's programs, makes the cluster, starts and stops it. It knows
// nothing of tenants, schemas or migrations, and no deployed gatehouse uses it.
//
// A cluster directory (Options.Dir) holds:
//
//	lock        flock of the process that owns the cluster now; freed by the kernel however that process ends
//	password    the superuser's password, 0600
//	data/       Postgres's own files; appears by one rename, so it is whole or absent
//	elsewhere   instead of data/: a link to a directory that the server's account can reach (see place.go)
//
// What the code below is shaped by:
//
//   - Postgres refuses to run as root. As root the server runs as the account `postgres`, else `nobody`, or as whoever
//     owns the data already.
//   - Any process here may be killed with -9 at any moment. The child asks the kernel to be stopped when its parent
//     dies; where the kernel cannot do that, the next Start finds the orphan by its directory and stops it.
//   - The server listens on 127.0.0.1 only, with a password: other accounts of the same machine are not let in.
//
// Unix only.
package pgproc
