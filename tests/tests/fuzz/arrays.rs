//! NumPy's `.npy` files.

use experiments::npy::{self, Pages};
use half::f16;
use npyz::{AutoSerialize, WriterBuilder};

use crate::fuzz;

/// An array of 2 x 3 x 4.
fn array<T: AutoSerialize + Copy>(of: fn(u8) -> T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut npy = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&[2, 3, 4])
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    npy.extend((0..24).map(of)).unwrap();
    npy.finish().unwrap();
    bytes
}

#[test]
fn npy() {
    let folder = tempfile::tempdir().unwrap();
    let mut seeds = vec![
        array::<f32>(f32::from),
        array::<f64>(f64::from),
        array::<bool>(|v| v % 2 == 0),
        array::<i8>(|v| v.cast_signed()),
        array::<u8>(|v| v),
        array::<i16>(i16::from),
        array::<u16>(u16::from),
        array::<i32>(i32::from),
        array::<u32>(u32::from),
        array::<i64>(i64::from),
        array::<u64>(u64::from),
    ];
    // Numbers of 16 bits that are floats.
    let mut half = array::<u16>(|v| f16::from_f32(v.into()).to_bits());
    let kind = half.windows(3).position(|part| part == b"<u2").unwrap();
    half[kind + 1] = b'f';
    seeds.push(half);
    // The other byte order, and Fortran's.
    for (from, to) in [("'<", "'>"), ("False", "True ")] {
        for at in [0, 1, 5] {
            let mut bytes = seeds[at].clone();
            let place = bytes.windows(from.len()).position(|w| w == from.as_bytes());
            let place = place.unwrap();
            bytes[place..place + from.len()].copy_from_slice(&to.as_bytes()[..from.len()]);
            if to == "True " {
                bytes[place + 4] = b' ';
            }
            seeds.push(bytes);
        }
    }
    fuzz("npy", &seeds, 40, folder.path(), |path, kept| {
        if let Ok(pages) = Pages::open(path) {
            let (mut bytes, [n, h, w]) = (Vec::new(), pages.shape);
            // Pages are read one by one; a page that no file of this size has is an error.
            if n.saturating_mul(h).saturating_mul(w) < 1 << 20 {
                let _ = (0..n).try_for_each(|page| pages.read(page, &mut bytes).map(drop));
            }
        }
        let Ok(array) = npy::read(path, |value| value) else {
            return false;
        };
        if let Some(kept) = kept {
            npy::write(&kept.with_extension("read"), &array).unwrap();
        }
        true
    });
}
