package main

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// catalogFigures are what a database keeps to know its tables by, in bytes, and its files.
type catalogFigures struct {
	Database  string `json:"database"`
	Catalogs  int64  `json:"catalogs_bytes"` // all, with their indexes
	Class     int64  `json:"pg_class_bytes"`
	Attribute int64  `json:"pg_attribute_bytes"`
	Index     int64  `json:"pg_index_bytes"`
	Depend    int64  `json:"pg_depend_bytes"`
	Statistic int64  `json:"pg_statistic_bytes"`
	Relations int64  `json:"relations"`
	Whole     int64  `json:"database_bytes"`
	Files     int64  `json:"files"`
}

// catalogs asks every database.
func (f *fleet) catalogs(ctx context.Context) (all []catalogFigures, err error) {
	for _, p := range f.allPlaces() {
		c := catalogFigures{Database: p.Name}
		err := queryAt(ctx, f.superuserOf(p), func(conn *pgx.Conn) error {
			return conn.QueryRow(ctx, `select
				(select sum(pg_total_relation_size(oid)) from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind = 'r')::bigint,
				pg_total_relation_size('pg_class'), pg_total_relation_size('pg_attribute'), pg_total_relation_size('pg_index'),
				pg_total_relation_size('pg_depend'), pg_total_relation_size('pg_statistic'),
				(select count(*) from pg_class), pg_database_size(current_database()),
				(select count(*) from pg_ls_dir((select 'base/' || oid from pg_database where datname = current_database())))`).
				Scan(&c.Catalogs, &c.Class, &c.Attribute, &c.Index, &c.Depend, &c.Statistic, &c.Relations, &c.Whole, &c.Files)
		})
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// placed is how many databases have tenants that were made here.
func (f *fleet) placed(ctx context.Context) (databases int, err error) {
	err = f.query(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `select count(distinct database) from control.tenants where slug like 'bench-%'`).Scan(&databases)
	})
	return databases, err
}

// blanks is how many schemas are ready to become tenants', over all databases.
func (f *fleet) blanks(ctx context.Context) (sum int, err error) {
	for _, p := range f.allPlaces() {
		err := queryAt(ctx, f.superuserOf(p), func(conn *pgx.Conn) error {
			var n int
			err := conn.QueryRow(ctx, `select count(*) from pg_namespace where nspname like 'blank\_%'`).Scan(&n)
			sum += n
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// behind is how many tenants are not at the newest version of all.
func (f *fleet) behind(ctx context.Context) (behind, all int, err error) {
	err = f.query(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `select count(*) filter (where schema_version < (select max(schema_version) from control.tenants)), count(*)
			from control.tenants`).Scan(&behind, &all)
	})
	return behind, all, err
}

// execAt runs a script.
func execAt(ctx context.Context, url, script string) error {
	return queryAt(ctx, url, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, script)
		return err
	})
}
