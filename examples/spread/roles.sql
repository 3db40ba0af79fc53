-- For a DBA, once: psql -f roles.sql. A database for each service, one for the coordinators and one for the wire; a role for
-- each of them, which may connect to its own and to the wire, and one for clients (web workers, commands).
-- Give each role a password, or a certificate: ALTER ROLE credit_host PASSWORD '...'.
CREATE ROLE credit_host LOGIN;
CREATE ROLE seats_host LOGIN;
CREATE ROLE coordinator LOGIN;
CREATE ROLE web LOGIN;
CREATE DATABASE credit;
CREATE DATABASE seats;
CREATE DATABASE sagas;
CREATE DATABASE wire;
REVOKE CONNECT ON DATABASE credit, seats, sagas, wire FROM PUBLIC;
GRANT CONNECT ON DATABASE credit TO credit_host;
GRANT CONNECT ON DATABASE seats TO seats_host;
GRANT CONNECT ON DATABASE sagas TO coordinator, web;
GRANT CONNECT ON DATABASE wire TO credit_host, seats_host, coordinator;
