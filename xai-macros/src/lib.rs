//! The macros of the DSL.
