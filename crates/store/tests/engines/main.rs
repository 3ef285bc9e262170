//! Both engines as a caller meets them: the suite on PostgreSQL, moves between the engines, kills. The server's URL comes
//! from `GALEN_TEST_POSTGRES_URL` (`cargo xtask test` gives it, `scripts/postgres-for-tests start DIR` prints one);
//! without it these tests say so and check nothing of PostgreSQL.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a whole program of tests and their helpers")]

mod bed;
mod commit;
mod crash;
mod postgres;
mod tls;
