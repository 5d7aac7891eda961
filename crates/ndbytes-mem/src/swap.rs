//! Turning the bytes of numbers around.

use ndbytes_format::Span;

/// Reverses the bytes of each unit of every item: a change of byte order. The units are those of
/// [`ndbytes_format::swap_units`].
///
/// # Panics
/// When a unit reaches outside of the item.
pub fn swap_bytes(items: &mut [u8], itemsize: usize, units: &[Span]) {
    let Some(first) = units.first() else { return };
    let uniform = units
        .iter()
        .enumerate()
        .all(|(i, unit)| unit.len == first.len && unit.offset == i * first.len)
        && units.len() * first.len == itemsize;
    if !uniform {
        for item in items.chunks_exact_mut(itemsize) {
            for unit in units {
                item[unit.offset..unit.offset + unit.len].reverse();
            }
        }
        return;
    }
    match first.len {
        2 => reverse_each::<2>(items),
        4 => reverse_each::<4>(items),
        8 => reverse_each::<8>(items),
        16 => reverse_each::<16>(items),
        len => items.chunks_exact_mut(len).for_each(<[u8]>::reverse),
    }
}

fn reverse_each<const N: usize>(items: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2.
        return unsafe { reverse_each_avx2::<N>(items) };
    }
    reverse_each_portable::<N>(items);
}

/// The same, for a machine whose registers the compiler can shuffle bytes in.
///
/// # Safety
/// The machine has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn reverse_each_avx2<const N: usize>(items: &mut [u8]) {
    reverse_each_portable::<N>(items);
}

#[inline(always)]
fn reverse_each_portable<const N: usize>(items: &mut [u8]) {
    let (numbers, _) = items.as_chunks_mut::<N>();
    numbers.iter_mut().for_each(|number| number.reverse());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_numbers_turns_around_as_one_does() {
        fn check<const N: usize>() {
            for count in 0..70 {
                let mut got: Vec<u8> = (0..count * N).map(|i| (i * 7) as u8).collect();
                let mut want = got.clone();
                want.chunks_exact_mut(N).for_each(<[u8]>::reverse);
                reverse_each::<N>(&mut got);
                assert_eq!(got, want, "{count} of {N}");
            }
        }
        check::<2>();
        check::<4>();
        check::<8>();
        check::<16>();
    }

    #[test]
    fn each_number_turns_around_and_nothing_else() {
        let units = |dtype: &str| ndbytes_format::swap_units(&dtype.parse().unwrap());
        for (dtype, size, want) in [
            ("<i4", 4, vec![3, 2, 1, 0, 7, 6, 5, 4]),
            ("<c8", 8, vec![3, 2, 1, 0, 7, 6, 5, 4]),
            ("[('a', '|u1'), ('b', '<i2'), ('c', '|S1')]", 4, vec![0, 2, 1, 3, 4, 6, 5, 7]),
            ("|S8", 8, vec![0, 1, 2, 3, 4, 5, 6, 7]),
        ] {
            let mut items: Vec<u8> = (0..8).collect();
            swap_bytes(&mut items, size, &units(dtype));
            assert_eq!(items, want, "{dtype}");
            swap_bytes(&mut items, size, &units(dtype));
            assert_eq!(items, (0..8).collect::<Vec<u8>>());
        }
    }
}
