//! smoltcp 0.14's random numbers (sPCG32), and the attack on them: who has seen two draws in a row knows the generator's
//! state but for a few candidates, a third draw leaves one, and from then on every number is known before it is drawn.

const MULTIPLIER: u64 = 0xbb2e_fcec_3c39_611d;
const INCREMENT: u64 = 0x7590_ef39;

pub(crate) fn step(state: u64) -> u64 {
    state.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT)
}

/// What the draw that led to this state gave.
pub(crate) fn output(state: u64) -> u32 {
    (state >> (29 - (state >> 61))) as u32
}

/// The states that give `number`, as ranges: their first, and how many. The state's upper three bits say which 32 of
/// the others are shown; those below them are a range, each value of those above them begins another.
fn ranges(number: u32) -> impl Iterator<Item = (u64, u64)> {
    (0..8u64).flat_map(move |top| {
        let low = 29 - top;
        let shown = u64::from(number) << low;
        (0..1u64 << top).map(move |hidden| (top << 61 | hidden << (61 - top) | shown, 1 << low))
    })
}

/// All states that gave `first` and whose next draw gives `second`: none is left out.
///
/// Of 2³² states that gave `first`, the one range's are `base + x`, and one step later they are to be `next + y`, where `x`
/// and `y` are small: `y − M·x` is a known number modulo 2⁶⁴. So `(x, y)` is close to a known point, relative to the lattice
/// of all `(x, M·x mod 2⁶⁴)`, whose points are so far apart that one at most is in reach. 65,025 pairs of ranges are
/// tried, and each takes a few multiplications in place of 2²⁹ trials.
pub(crate) fn states_behind(first: u32, second: u32) -> Vec<u64> {
    let [a, b] = reduced_basis();
    let followers: Vec<_> = ranges(second).collect();
    let mut states = Vec::new();
    for (base, count) in ranges(first) {
        for &(next, next_count) in &followers {
            let offset = i128::from(next.wrapping_sub(step(base)) as i64);
            // The middle of where the lattice point would have to be.
            let (x, y) = (i128::from(count / 2), offset + i128::from(next_count / 2));
            let p = by_determinant(x * b.1 - y * b.0);
            let q = by_determinant(a.0 * y - a.1 * x);
            let x = p * a.0 + q * b.0;
            if !(0..i128::from(count)).contains(&x) {
                continue;
            }
            let state = base + x as u64;
            if output(step(state)) == second {
                assert_eq!(output(state), first);
                states.push(state);
            }
        }
    }
    states
}

/// Two short vectors that span the lattice of all `(x, M·x mod 2⁶⁴)` (Lagrange's and Gauss's reduction).
fn reduced_basis() -> [(i128, i128); 2] {
    let length = |v: (i128, i128)| (v.0 as f64).hypot(v.1 as f64);
    let mut a = (0i128, 1i128 << 64);
    let mut b = (1i128, i128::from(MULTIPLIER));
    while length(b) < length(a) {
        let product = a.0 as f64 * b.0 as f64 + a.1 as f64 * b.1 as f64;
        let times = (product / length(b).powi(2)).round() as i128;
        (a, b) = (b, (a.0 - times * b.0, a.1 - times * b.1));
    }
    // From the middle of a box of at most 2²⁹ by 2²⁹, a point in it is less than half a vector away.
    for vector in [a, b] {
        assert!((vector.0.abs() + vector.1.abs()) << 28 < 1 << 63);
    }
    // The lattice's determinant is 2⁶⁴ in any basis, but for the sign.
    if a.0 * b.1 - a.1 * b.0 < 0 {
        b = (-b.0, -b.1);
    }
    [a, b]
}

/// To the nearest integer.
fn by_determinant(n: i128) -> i128 {
    (n + (1 << 63)) >> 64
}

/// The state after `numbers`, at least three draws in a row, if the generator explains them.
pub(crate) fn explain(numbers: &[u32]) -> Option<u64> {
    let &[first, second, ref rest @ ..] = numbers else {
        return None;
    };
    states_behind(first, second).into_iter().find_map(|state| {
        rest.iter().try_fold(step(state), |state, &number| {
            let state = step(state);
            (output(state) == number).then_some(state)
        })
    })
}
