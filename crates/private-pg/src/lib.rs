//! A private PostgreSQL cluster that never outlives the command that started it.
