//! Which images are for training, validation and test: scikit-learn's `StratifiedShuffleSplit`,
//! reproduced draw by draw.

use crate::random::numpy::RandomState;

/// Splits `images` into two parts, in random order. The second part holds a `share` of them
/// (rounded up). Both have the classes in proportion. `class` is the class of each image, 0 or 1.
pub(super) fn stratified(
    images: &[usize],
    class: &[usize],
    share: f64,
    seed: u32,
) -> [Vec<usize>; 2] {
    let mut random = RandomState::new(seed);
    let members: [Vec<usize>; 2] = [0, 1].map(|wanted| {
        let of_class = images
            .iter()
            .zip(class)
            .filter(|(_, class)| **class == wanted);
        of_class.map(|(&image, _)| image).collect()
    });
    let counts = members.each_ref().map(Vec::len);
    let held_out = (share * images.len() as f64).ceil() as usize;
    let kept_of = in_proportion(counts, images.len() - held_out, &mut random);
    let rest = [counts[0] - kept_of[0], counts[1] - kept_of[1]];
    let held_of = in_proportion(rest, held_out, &mut random);
    let (mut kept, mut held) = (Vec::new(), Vec::new());
    for ((mut members, kept_of), held_of) in members.into_iter().zip(kept_of).zip(held_of) {
        random.shuffle(&mut members);
        kept.extend_from_slice(&members[..kept_of]);
        held.extend_from_slice(&members[kept_of..kept_of + held_of]);
    }
    random.shuffle(&mut kept);
    random.shuffle(&mut held);
    [kept, held]
}

/// How many of the `wanted` images come from each class, in proportion to the size of the classes.
/// If rounding down leaves one image over, the class with the larger remainder gets it. If the
/// remainders are equal, a random draw decides, as in scikit-learn.
fn in_proportion(counts: [usize; 2], wanted: usize, random: &mut RandomState) -> [usize; 2] {
    let total = (counts[0] + counts[1]) as f64;
    let exact = counts.map(|count| count as f64 / total * wanted as f64);
    let mut given = exact.map(|count| count.floor() as usize);
    if given[0] + given[1] < wanted {
        let remainder = [0, 1].map(|class| exact[class] - exact[class].floor());
        let class = match remainder[0].partial_cmp(&remainder[1]) {
            Some(std::cmp::Ordering::Greater) => 0,
            Some(std::cmp::Ordering::Less) => 1,
            _ => {
                let mut both = [0, 1];
                random.shuffle(&mut both);
                both[0]
            }
        };
        given[class] += 1;
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first images of each part as drawn by the public code, at both sizes (computed with
    /// scikit-learn).
    #[test]
    fn parts_are_those_of_the_public_code() {
        let cases = [
            (
                10_000,
                0.2,
                [
                    [5984, 4103, 5334, 7423, 5084],
                    [4763, 382, 789, 7590, 4439],
                    [5218, 5290, 4293, 8476, 8256],
                ],
            ),
            (
                40_000,
                0.1,
                [
                    [31981, 6494, 27247, 25694, 29103],
                    [17411, 32307, 10992, 1493, 5707],
                    [27128, 19326, 21305, 30600, 24024],
                ],
            ),
        ];
        for (count, share, expected) in cases {
            let images: Vec<usize> = (0..count).collect();
            let class = |images: &[usize]| -> Vec<usize> {
                images
                    .iter()
                    .map(|&image| usize::from(image >= count / 2))
                    .collect()
            };
            let [train, held] = stratified(&images, &class(&images), share, 4_000_002);
            let [validation, test] = stratified(&held, &class(&held), 0.5, 4_000_002);
            for (part, expected) in [train, validation, test].iter().zip(expected) {
                assert_eq!(part[..5], expected);
            }
        }
    }
}
