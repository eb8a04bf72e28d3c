use xai_core::prelude::*;

#[experiment]
struct TupleStruct(#[axis([1, 2])] usize);

fn main() {}
