#!/bin/sh
# After roles.sql, as the role that owns the databases, and again after an update of Amends. PGHOST says where they are.
set -e
amends db init --db postgresql://postgres@/credit --engine-role credit_host
amends db init --db postgresql://postgres@/seats --engine-role seats_host
amends db init --db postgresql://postgres@/sagas --engine-role coordinator --client-role web
amends db init --wire postgresql://postgres@/wire --engine-role credit_host
amends db init --wire postgresql://postgres@/wire --engine-role seats_host
amends db init --wire postgresql://postgres@/wire --engine-role coordinator
