package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/connpool/connpool"
)

const (
	// surge is how many instances more than usual run during a deployment.
	surge = 2
	// ourSessions is what this program needs of PostgreSQL's connections to count
	// the others, and otherClients what others need of PgBouncer's.
	ourSessions  = 1
	otherClients = 20
)

// serverConns is how many connections PgBouncer has to PostgreSQL, for all
// instances together: as many as keep its cores busy.
func (o options) serverConns() int { return connpool.CoresSize(o.cores, 0) }

// poolSize is how many connections each instance may have to PgBouncer.
func (o options) poolSize() int {
	return connpool.FleetSize(o.clients, otherClients, o.instances, surge)
}

func (o options) validate() error {
	if o.instances < 1 || o.workers < 1 || o.cores < 1 {
		return fmt.Errorf("-instances %d, -workers %d and -cores %d must be at least 1", o.instances, o.workers, o.cores)
	}
	if o.poolSize() < 1 {
		return fmt.Errorf("-clients %d is not even one for each of %d instances", o.clients, o.instances)
	}
	// A PgBouncer that restarts connects again before its old sessions have ended.
	if least := 2*o.serverConns() + ourSessions; o.connections < least {
		return fmt.Errorf("-connections %d are too few for a PgBouncer with %d: at least %d", o.connections, o.serverConns(), least)
	}
	return nil
}

// printSizes prints where the sizes come from.
func (a *app) printSizes(context.Context) error {
	a.headline(fmt.Sprintf("How many: %d instances of a service, and one PostgreSQL", a.instances))
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "FleetSize(%d, %d, %d, %d)\t= %d\twithout a pooler, for each instance: its part of PostgreSQL's max_connections\n",
		a.connections, ourSessions, a.instances, surge, connpool.FleetSize(a.connections, ourSessions, a.instances, surge))
	fmt.Fprintf(w, "CoresSize(%d, 0)\t= %d\tdefault_pool_size, for all of them: more do not make %d cores faster\n",
		a.cores, a.serverConns(), a.cores)
	fmt.Fprintf(w, "FleetSize(%d, %d, %d, %d)\t= %d\tMaxConns, for each instance: its part of PgBouncer's max_client_conn\n",
		a.clients, otherClients, a.instances, surge, a.poolSize())
	return w.Flush()
}
