//! Where images come from: volumes, the embedded brain, synthetic subjects, pre-training corpora.
