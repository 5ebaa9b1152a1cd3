//! Random cases that are the same in every run.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Tests so many cases of a kind. One that fails is made as short as it can be, and told.
pub(crate) fn test<S: Strategy>(count: u32, kind: &S, test: impl Fn(S::Value)) {
    let config = Config {
        cases: count,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(kind, |case| {
        test(case);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
