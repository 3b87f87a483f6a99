//! Sources rebuilt from what is known of them: how much better each filter is than the one before.

use gaspard::Error;
use gaspard::audio::metrics::{delay_error, sdr_improvement};
use gaspard::audio::spectrogram::{self, Remainder};
use gaspard::audio::{
    Reconstruction, Recording, Scene, Simulation, Speaker, Stft, Voice, noise, refine_delays,
};
use ndarray::{Array1, Array2, Array3, Axis, array};

/// Delays of several frames of 200 samples.
fn scene(seed: u64, snr: f64) -> Scene {
    let speakers = [(Voice::Low, seed), (Voice::High, seed + 100)]
        .map(|(voice, seed)| Speaker::new(voice).seed(seed).speak(8000, 14_000));
    let delays = array![[0.0, 703.3], [0.0, -412.6]];
    Simulation::new(8000, speakers).unwrap().delays(delays).snr(snr).seed(seed).run().unwrap()
}

fn stft() -> Stft {
    Stft::at_rate(8000).unwrap()
}

fn gain(scene: &Scene, found: &Array2<f64>) -> f64 {
    let mixture = scene.mixture.channel(0);
    sdr_improvement(scene.images.view(), found.view(), mixture).unwrap().value
}

/// The spectrograms of the true sources.
fn known(scene: &Scene) -> Array3<f64> {
    spectrogram::power(&stft().forward_all(scene.images.view()))
}

/// Spectrograms as masks make them of the noisy microphone, from masks that are blurred in time, as
/// if a solver had found them.
fn estimated(scene: &Scene) -> (Array3<f64>, Array1<f64>) {
    let stft = stft();
    let truth = known(scene);
    let blurred = Array3::from_shape_fn(truth.dim(), |(k, f, t)| {
        let last = truth.dim().2 - 1;
        let near = [t.saturating_sub(1), (t + 1).min(last)];
        0.6 * truth[[k, f, t]] + 0.2 * (truth[[k, f, near[0]]] + truth[[k, f, near[1]]])
    });
    let level = noise::known(&stft, scene.noise_variance).unwrap();
    let all = blurred.sum_axis(Axis(0)) + level.view().insert_axis(Axis(1)) + 1e-12;
    let masks = blurred / &all;
    let power = spectrogram::power(&stft.forward(scene.mixture.channel(0)));
    let rest = noise::subtracted(power.view(), level.view(), 1.0).unwrap();
    let spectra = spectrogram::sources(masks.view(), rest.view(), Remainder::Shared, 1.0).unwrap();
    (spectra, level)
}

fn rebuild<'a>(scene: &'a Scene, spectra: &'a Array3<f64>) -> Reconstruction<'a> {
    let made = Reconstruction::new(&scene.mixture, &stft(), spectra.view()).unwrap();
    made.noise_variance(scene.noise_variance).unwrap()
}

/// With one source, no noise and its own spectrogram, everything is the microphone itself.
#[test]
fn a_source_alone_comes_back() {
    let source = Speaker::new(Voice::Low).seed(1).speak(8000, 8000);
    let delays = array![[0.0, 100.5, -30.0]];
    let scene = Simulation::new(8000, [source]).unwrap().delays(delays.clone()).run().unwrap();
    let spectra = known(&scene);
    let rebuild = rebuild(&scene, &spectra);
    let near = |found: Array2<f64>, tolerance: f64| {
        let error = (&found - &scene.images).mapv(|x| x * x).sum();
        let relative = error / scene.images.mapv(|x| x * x).sum();
        assert!(relative < tolerance, "{relative}");
    };
    near(rebuild.mask().unwrap(), 1e-20);
    near(rebuild.wiener(0).unwrap(), 1e-10);
    near(rebuild.wiener(2).unwrap(), 1e-3);
    near(rebuild.aligned(delays.view()).unwrap(), 1e-3);
}

#[test]
fn no_iterations_of_the_wiener_filter_are_the_mask() {
    let scene = scene(1, 10.0);
    let spectra = known(&scene);
    let made = rebuild(&scene, &spectra);
    let difference = made.mask().unwrap() - made.wiener(0).unwrap();
    let largest = difference.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    assert!(largest < 1e-5, "{largest}");
}

/// However loud a recording is, sources are as loud.
#[test]
fn the_scale_does_not_matter() {
    let scene = scene(3, 20.0);
    let spectra = known(&scene);
    let all = |scale: f64| {
        let channels = scale * &scene.mixture.channels();
        let recording = Recording::new("scaled", 8000, channels).unwrap();
        let spectra = scale * scale * &spectra;
        let made = Reconstruction::new(&recording, &stft(), spectra.view()).unwrap();
        let made = made.noise_variance(scale * scale * scene.noise_variance).unwrap();
        let masked = made.mask().unwrap();
        let rough = array![[0.0, 660.0], [0.0, -360.0]];
        let refined = refine_delays(&recording, masked.view(), rough.view(), 200.0).unwrap();
        let sources = [masked, made.wiener(1).unwrap(), made.aligned(refined.view()).unwrap()];
        (refined, sources.map(|found| found / scale))
    };
    let (delays, sources) = all(1.0);
    for scale in [1e-12, 1e9] {
        let (scaled_delays, scaled_sources) = all(scale);
        assert!((&scaled_delays - &delays).iter().all(|off| off.abs() < 1e-6));
        for (a, b) in sources.iter().zip(&scaled_sources) {
            assert!((a - b).iter().all(|off| off.abs() < 1e-6), "{scale}");
        }
    }
}

/// At delays of a few samples a matrix for each frequency tells the sources apart.
#[test]
fn iterations_help_at_small_delays() {
    let speakers = [(Voice::Low, 3), (Voice::High, 103)]
        .map(|(voice, seed)| Speaker::new(voice).seed(seed).speak(8000, 14_000));
    let simulation = Simulation::new(8000, speakers).unwrap();
    let scene = simulation.delays(array![[0.0, 3.0], [0.0, -2.0]]).snr(40.0).run().unwrap();
    let spectra = known(&scene);
    let rebuild = rebuild(&scene, &spectra);
    let [none, two] = [0, 2].map(|iterations| gain(&scene, &rebuild.wiener(iterations).unwrap()));
    assert!(two > none + 2.0, "{none} {two}");
    let mut stop = |_: &gaspard::Progress| std::ops::ControlFlow::Break(());
    let stopped = rebuild.wiener_with(5, &mut stop).unwrap();
    assert_eq!(stopped, rebuild.wiener(1).unwrap());
}

/// Alignment over the mask, where all is known.
#[test]
fn alignment_helps_where_all_is_known() {
    for (snr, least) in [(0.0, 2.0), (15.0, 3.0), (30.0, 4.0)] {
        let gains: Vec<(f64, f64)> = (0..3)
            .map(|seed| {
                let scene = scene(seed, snr);
                let spectra = known(&scene);
                let rebuild = rebuild(&scene, &spectra);
                let mask = gain(&scene, &rebuild.mask().unwrap());
                (mask, gain(&scene, &rebuild.aligned(scene.delays.view()).unwrap()))
            })
            .collect();
        let mean = gains.iter().map(|(mask, aligned)| aligned - mask).sum::<f64>() / 3.0;
        assert!(mean > least, "{snr} dB: {gains:?}");
    }
}

/// With spectrograms as masks make them, and delays that start from the nearest frame and are
/// refined by what the mask rebuilt.
#[test]
fn alignment_helps_with_refined_delays() {
    for (snr, least) in [(0.0, 1.5), (30.0, 3.0)] {
        let gains: Vec<(f64, f64)> = (0..3)
            .map(|seed| {
                let scene = scene(seed, snr);
                let (spectra, _) = estimated(&scene);
                let rebuild = rebuild(&scene, &spectra);
                let masked = rebuild.mask().unwrap();
                let rough = array![[0.0, 660.0], [0.0, -360.0]];
                let refined =
                    refine_delays(&scene.mixture, masked.view(), rough.view(), 200.0).unwrap();
                let error = delay_error(scene.delays.view(), refined.view(), 8000, 200).unwrap();
                assert!(error.samples < 1.0, "{snr} dB, {seed}: {error:?}");
                let mask = gain(&scene, &masked);
                let aligned = gain(&scene, &rebuild.aligned(refined.view()).unwrap());
                let unrefined = gain(&scene, &rebuild.aligned(rough.view()).unwrap());
                assert!(unrefined < mask, "delays to a frame are not enough: {unrefined} {mask}");
                (mask, aligned)
            })
            .collect();
        let mean = gains.iter().map(|(mask, aligned)| aligned - mask).sum::<f64>() / 3.0;
        assert!(mean > least, "{snr} dB: {gains:?}");
    }
}

#[test]
fn three_microphones_and_three_sources() {
    let speakers = [(Voice::Low, 5), (Voice::High, 105), (Voice::Low, 205)]
        .map(|(voice, seed)| Speaker::new(voice).seed(seed).speak(8000, 10_000));
    let delays = array![[0.0, 500.0, -300.0], [0.0, -402.5, 200.25], [0.0, 40.0, 610.0]];
    let simulation = Simulation::new(8000, speakers).unwrap().delays(delays.clone());
    let scene = simulation.snr(20.0).run().unwrap();
    let spectra = known(&scene);
    let rebuild = rebuild(&scene, &spectra);
    let masked = rebuild.mask().unwrap();
    let aligned = rebuild.aligned(delays.view()).unwrap();
    let [mask, aligned] = [&masked, &aligned].map(|found| gain(&scene, found));
    assert!(aligned > mask + 2.0, "{mask} {aligned}");
    let rough = delays.mapv(|delay| if delay == 0.0 { 0.0 } else { delay + 33.0 });
    let refined = refine_delays(&scene.mixture, masked.view(), rough.view(), 100.0).unwrap();
    let error = delay_error(delays.view(), refined.view(), 8000, 200).unwrap();
    assert!(error.samples < 0.5, "{error:?}");
}

#[test]
fn refinement_stays_within_reach() {
    let scene = scene(2, 30.0);
    let masked = rebuild(&scene, &known(&scene)).mask().unwrap();
    let far = array![[0.0, 100.0], [0.0, 60.0]];
    let refined = refine_delays(&scene.mixture, masked.view(), far.view(), 200.0).unwrap();
    // Half of the gap of 40 samples.
    for (to, from) in refined.iter().zip(&far) {
        assert!((to - from).abs() <= 20.1, "{refined}");
    }
    let silent = Array2::zeros((2, scene.mixture.len()));
    assert_eq!(refine_delays(&scene.mixture, silent.view(), far.view(), 200.0).unwrap(), far);
    let same = array![[0.0, 5.0], [0.0, 5.0]];
    assert_eq!(refine_delays(&scene.mixture, masked.view(), same.view(), 200.0).unwrap(), same);
    let refused = |sources: &Array2<f64>, delays: &Array2<f64>, reach| {
        refine_delays(&scene.mixture, sources.view(), delays.view(), reach).unwrap_err()
    };
    assert!(matches!(refused(&array![[1.0]], &far, 200.0), Error::Shape { .. }));
    assert!(matches!(refused(&masked, &array![[0.0]], 200.0), Error::Shape { .. }));
    assert!(matches!(refused(&masked, &far, f64::NAN), Error::Parameter { .. }));
}

#[test]
fn reconstructions_that_make_no_sense_are_refused() {
    let scene = scene(1, 30.0);
    let spectra = known(&scene);
    let new =
        |spectra: &Array3<f64>| Reconstruction::new(&scene.mixture, &stft(), spectra.view()).err();
    assert!(matches!(new(&Array3::zeros((2, 129, 3))), Some(Error::Shape { .. })));
    assert!(matches!(new(&Array3::zeros((0, 129, spectra.dim().2))), Some(Error::Shape { .. })));
    let mut wrong = spectra.clone();
    wrong[[0, 0, 0]] = f64::NAN;
    assert!(matches!(new(&wrong), Some(Error::Data { .. })));
    let made = Reconstruction::new(&scene.mixture, &stft(), spectra.view()).unwrap();
    assert!(made.clone().noise(array![1.0]).is_err());
    assert!(made.clone().noise(Array1::from_elem(129, -1.0)).is_err());
    assert!(made.clone().noise_variance(f64::NAN).is_err());
    assert!(made.clone().hop(0).is_err());
    assert!(matches!(made.aligned(array![[0.0, 1.0]].view()), Err(Error::Shape { .. })));
    assert!(made.aligned(array![[0.0, f64::NAN], [0.0, 1.0]].view()).is_err());
    // Nothing known is nothing rebuilt, not a division by zero.
    let nothing = Array3::zeros(spectra.dim());
    let made = Reconstruction::new(&scene.mixture, &stft(), nothing.view()).unwrap();
    for found in [made.mask(), made.wiener(1), made.aligned(scene.delays.view())] {
        assert!(found.unwrap().iter().all(|x| x.is_finite()));
    }
}
