package pgproc

import (
	"runtime"
	"strconv"
)

// settings are the server's, given on its command line at every start, so that an old cluster gets the present ones.
func settings(o Options, port int) []string {
	connections := o.MaxConnections
	if connections == 0 {
		connections = 60
	}
	set := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(port),
		"unix_socket_directories": "", // paths under a state directory pass the 107 bytes a socket may have
		"max_connections":         strconv.Itoa(connections),
		"logging_collector":       "off", // the log goes to the parent
		"log_line_prefix":         "postgres[%p] ",
		"log_checkpoints":         "off",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		// A tenant's schema has some fifty relations, and creating or dropping it locks them all.
		"max_locks_per_transaction": "256",
		// A small machine: no parallel plans, no compiled plans, nobody to replicate to.
		"max_worker_processes":            "4",
		"max_parallel_workers_per_gather": "0",
		"jit":                             "off",
		"wal_level":                       "minimal",
		"max_wal_senders":                 "0",
		"max_wal_size":                    "512MB",
	}
	if runtime.GOOS == "linux" {
		// After a crash the default syncs file by file: minutes with thousands of schemas (docs: 208 s against 3.6 s).
		set["recovery_init_sync_method"] = "syncfs"
	}
	if o.Volatile {
		// Creating a schema is mostly the sync of its new files. Tests do not outlive a crash of the machine; a crash of
		// the server alone loses nothing, since commits still reach the kernel.
		set["fsync"] = "off"
		set["full_page_writes"] = "off"
	}
	args := make([]string, 0, 2*len(set))
	for name, value := range set {
		args = append(args, "-c", name+"="+value)
	}
	return args
}
