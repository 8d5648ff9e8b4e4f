//! Exact questions in the longitude-latitude plane, in which RFC 7946 draws its straight edges: on which side of an edge a
//! point lies, whether two edges meet, whether a ring holds a point. A wrong sign here would turn inside into outside, so
//! the sign is exact: a filter in doubles first (Shewchuk 1997), then an exact expansion.

use std::cmp::Ordering;

/// A point of the plane: longitude (unwrapped, so it may pass ±180) and latitude in degrees.
pub(crate) type Xy = [f64; 2];

/// The sign of the doubled area of a, b, c: `Greater` when c lies left of a → b, `Equal` when on the line.
pub(crate) fn side(a: Xy, b: Xy, c: Xy) -> Ordering {
    let left = (a[0] - c[0]) * (b[1] - c[1]);
    let right = (a[1] - c[1]) * (b[0] - c[0]);
    let det = left - right;
    // Shewchuk's ccwerrboundA, rounded up.
    if det.abs() > 3.4e-16 * (left.abs() + right.abs()) + 1e-290 {
        return det.total_cmp(&0.0);
    }
    exact_side(a, b, c)
}

fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let virtual_b = sum - a;
    (sum, (a - (sum - virtual_b)) + (b - virtual_b))
}

fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

/// a×b + b×c + c×a as twelve exact terms, summed without rounding (Shewchuk's grow-expansion).
fn exact_side(a: Xy, b: Xy, c: Xy) -> Ordering {
    let products = [
        two_product(a[0], b[1]),
        two_product(-a[1], b[0]),
        two_product(b[0], c[1]),
        two_product(-b[1], c[0]),
        two_product(c[0], a[1]),
        two_product(-c[1], a[0]),
    ];
    let mut parts: Vec<f64> = Vec::with_capacity(12);
    for (high, low) in products {
        grow(&mut parts, low);
        grow(&mut parts, high);
    }
    parts
        .iter()
        .rev()
        .find_map(|part| match part.partial_cmp(&0.0) {
            None | Some(Ordering::Equal) => None,
            sign => sign,
        })
        .unwrap_or(Ordering::Equal)
}

/// Adds one number to an expansion of non-overlapping parts, smallest first, without rounding.
fn grow(parts: &mut Vec<f64>, term: f64) {
    let mut carry = term;
    for part in parts.iter_mut() {
        let (sum, rest) = two_sum(carry, *part);
        *part = rest;
        carry = sum;
    }
    parts.push(carry);
}

/// Whether c, known to lie on the line through a and b, lies within their box.
fn within_box(a: Xy, b: Xy, c: Xy) -> bool {
    a[0].min(b[0]) <= c[0]
        && c[0] <= a[0].max(b[0])
        && a[1].min(b[1]) <= c[1]
        && c[1] <= a[1].max(b[1])
}

/// How two closed edges meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// Not at all.
    Apart,
    /// An end of one lies on the other, or they overlap along a line.
    Touch,
    /// Their interiors cross at one point.
    Cross,
}

/// How the closed edges a–b and c–d meet, exactly.
pub(crate) fn meeting(a: Xy, b: Xy, c: Xy, d: Xy) -> Meeting {
    let apart = |i: usize| -> bool {
        let (ai, bi, ci, di) = if i == 0 {
            (a[0], b[0], c[0], d[0])
        } else {
            (a[1], b[1], c[1], d[1])
        };
        ai.max(bi) < ci.min(di) || ci.max(di) < ai.min(bi)
    };
    if apart(0) || apart(1) {
        return Meeting::Apart;
    }
    let (abc, abd) = (side(a, b, c), side(a, b, d));
    let (cda, cdb) = (side(c, d, a), side(c, d, b));
    if abc != Ordering::Equal
        && abd != Ordering::Equal
        && cda != Ordering::Equal
        && cdb != Ordering::Equal
    {
        return if abc != abd && cda != cdb {
            Meeting::Cross
        } else {
            Meeting::Apart
        };
    }
    let touches = (abc == Ordering::Equal && within_box(a, b, c))
        || (abd == Ordering::Equal && within_box(a, b, d))
        || (cda == Ordering::Equal && within_box(c, d, a))
        || (cdb == Ordering::Equal && within_box(c, d, b));
    if touches {
        Meeting::Touch
    } else {
        Meeting::Apart
    }
}

/// Where the lines through a–b and c–d meet (or a shared point when they are parallel): for words, not for decisions.
#[expect(clippy::many_single_char_names, reason = "the letters of the source")]
pub(crate) fn crossing_point(a: Xy, b: Xy, c: Xy, d: Xy) -> Xy {
    let (r, s) = ([b[0] - a[0], b[1] - a[1]], [d[0] - c[0], d[1] - c[1]]);
    let denominator = r[0] * s[1] - r[1] * s[0];
    if denominator.abs() < 1e-300 {
        return if within_box(a, b, c) { c } else { d };
    }
    let t = ((c[0] - a[0]) * s[1] - (c[1] - a[1]) * s[0]) / denominator;
    [a[0] + t * r[0], a[1] + t * r[1]]
}

/// Where a point lies as to a closed ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Strictly inside.
    Inside,
    /// On an edge.
    Edge,
    /// Strictly outside.
    Outside,
}

/// Where `point` lies as to the closed `ring` (first vertex repeated at the end), exactly, whatever its orientation.
pub(crate) fn place_in_ring(ring: &[Xy], point: Xy) -> Place {
    let mut inside = false;
    for (a, b) in ring.iter().zip(ring.iter().skip(1)) {
        let (a, b) = (*a, *b);
        if a[1].max(b[1]) < point[1] || a[1].min(b[1]) > point[1] || a[0].max(b[0]) < point[0] {
            continue;
        }
        let turn = side(a, b, point);
        if turn == Ordering::Equal && within_box(a, b, point) {
            return Place::Edge;
        }
        // Half-open in latitude, so that a vertex counts once.
        if (a[1] <= point[1]) != (b[1] <= point[1]) && (turn == Ordering::Greater) == (b[1] > a[1])
        {
            inside = !inside;
        }
    }
    if inside {
        Place::Inside
    } else {
        Place::Outside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_side_of_an_edge_is_exact_where_doubles_round() {
        let (a, b) = ([0.5, 0.5], [12.0, 12.0]);
        let mut seen = [false; 3];
        for i in 0..64 {
            for j in 0..64 {
                let c = [
                    0.5 + f64::from(i) * f64::EPSILON / 2.0,
                    0.5 + f64::from(j) * f64::EPSILON / 2.0,
                ];
                assert_eq!(side(a, b, c), c[1].total_cmp(&c[0]));
                seen[match side(a, b, c) {
                    Ordering::Less => 0,
                    Ordering::Equal => 1,
                    Ordering::Greater => 2,
                }] = true;
            }
        }
        assert_eq!(seen, [true; 3]);
    }

    #[test]
    fn edges_cross_touch_or_stay_apart() {
        assert_eq!(
            meeting([0.0, 0.0], [2.0, 2.0], [0.0, 2.0], [2.0, 0.0]),
            Meeting::Cross
        );
        assert_eq!(
            meeting([0.0, 0.0], [2.0, 0.0], [1.0, 0.0], [1.0, 1.0]),
            Meeting::Touch
        );
        assert_eq!(
            meeting([0.0, 0.0], [2.0, 0.0], [1.0, 0.0], [3.0, 0.0]),
            Meeting::Touch
        );
        assert_eq!(
            meeting([0.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0]),
            Meeting::Apart
        );
        assert_eq!(
            meeting([0.0, 0.0], [2.0, 2.0], [1.0, 0.0], [3.0, 1.5]),
            Meeting::Apart
        );
    }

    #[test]
    fn a_ring_holds_points_whatever_way_it_turns() {
        let mut ring = vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]];
        for _ in 0..2 {
            assert_eq!(place_in_ring(&ring, [0.5, 0.5]), Place::Inside);
            assert_eq!(place_in_ring(&ring, [1.0, 0.5]), Place::Edge);
            assert_eq!(place_in_ring(&ring, [0.5, 1.0]), Place::Edge);
            assert_eq!(place_in_ring(&ring, [0.0, 0.0]), Place::Edge);
            assert_eq!(place_in_ring(&ring, [1.5, 1.0]), Place::Outside);
            assert_eq!(place_in_ring(&ring, [-0.5, 0.0]), Place::Outside);
            ring.reverse();
        }
    }
}
