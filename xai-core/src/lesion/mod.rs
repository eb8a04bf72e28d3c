//! Artificial lesions: their making, their library and their placement.
