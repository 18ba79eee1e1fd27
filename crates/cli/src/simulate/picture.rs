//! The curves as a picture: attempts per second above, devices attached below.

use std::time::Duration;

use hubshift_domain::storm::{Outcome, Scenario};
use plotters::prelude::*;

use crate::exit::CliError;

const SIZE: (u32, u32) = (960, 720);
/// Points of a curve at most.
const POINTS: u64 = 600;
const COLOURS: [RGBColor; 5] = [
    RGBColor(192, 57, 43),
    RGBColor(211, 132, 0),
    RGBColor(125, 60, 152),
    RGBColor(41, 128, 185),
    RGBColor(30, 132, 73),
];

type Failed = Box<dyn std::error::Error>;

/// The picture, as SVG.
pub(super) fn svg(scenario: &Scenario, outcomes: &[Outcome]) -> Result<String, CliError> {
    let mut text = String::new();
    draw(&mut text, scenario, outcomes)
        .map_err(|error| CliError::Output(std::io::Error::other(error.to_string())))?;
    Ok(text)
}

fn draw(text: &mut String, scenario: &Scenario, outcomes: &[Outcome]) -> Result<(), Failed> {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (above, below) = area.split_vertically(SIZE.1 / 2);
    attempts(&above, scenario, outcomes)?;
    attached(&below, scenario, outcomes)?;
    area.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn attempts(area: &Area<'_>, scenario: &Scenario, outcomes: &[Outcome]) -> Result<(), Failed> {
    let curves: Vec<Vec<(f64, f64)>> = outcomes.iter().map(attempts_of).collect();
    let most = highest(&curves).max(f64::from(scenario.admission_per_second) * 2.0);
    let end = end(outcomes);
    let title = format!(
        "Attempts per second: {} devices, a hub that admits {} a second",
        scenario.devices, scenario.admission_per_second
    );
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..end, (1.0..most).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .y_desc("attempts/s")
        .draw()?;
    let rate = f64::from(scenario.admission_per_second);
    chart.draw_series(LineSeries::new([(0.0, rate), (end, rate)], BLACK.mix(0.5)))?;
    for ((curve, outcome), colour) in curves.into_iter().zip(outcomes).zip(COLOURS) {
        chart
            .draw_series(LineSeries::new(curve, &colour))?
            .label(outcome.strategy.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    Ok(())
}

fn attached(area: &Area<'_>, scenario: &Scenario, outcomes: &[Outcome]) -> Result<(), Failed> {
    let mut chart = ChartBuilder::on(area)
        .caption("Devices attached", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..end(outcomes), 0.0..f64::from(scenario.devices))?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .y_desc("devices")
        .draw()?;
    for (outcome, colour) in outcomes.iter().zip(COLOURS) {
        chart.draw_series(LineSeries::new(attached_of(outcome), &colour))?;
    }
    Ok(())
}

/// Attempts of each bin; a logarithm has no zero.
fn attempts_of(outcome: &Outcome) -> Vec<(f64, f64)> {
    let width = width(outcome);
    let seconds = width.as_secs_f64();
    let rate = |(place, attempts): (usize, u32)| {
        (
            place as f64 * seconds,
            (f64::from(attempts) / seconds).max(1.0),
        )
    };
    outcome
        .per(width)
        .map(|bin| bin.attempts)
        .enumerate()
        .map(rate)
        .collect()
}

fn attached_of(outcome: &Outcome) -> Vec<(f64, f64)> {
    let width = width(outcome);
    let mut sum = 0.0;
    let grow = |(place, admitted): (usize, u32)| {
        sum += f64::from(admitted);
        ((place + 1) as f64 * width.as_secs_f64(), sum)
    };
    outcome
        .per(width)
        .map(|bin| bin.admitted)
        .enumerate()
        .map(grow)
        .collect()
}

fn width(outcome: &Outcome) -> Duration {
    let ticks = u64::try_from(outcome.ticks.len()).unwrap_or(u64::MAX);
    Duration::from_secs(ticks.div_ceil(10).div_ceil(POINTS).max(1))
}

fn highest(curves: &[Vec<(f64, f64)>]) -> f64 {
    curves
        .iter()
        .flatten()
        .map(|(_, rate)| *rate)
        .fold(1.0, f64::max)
}

fn end(outcomes: &[Outcome]) -> f64 {
    let ticks = outcomes
        .iter()
        .map(|outcome| outcome.ticks.len())
        .max()
        .unwrap_or(0);
    (ticks as f64 / 10.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use hubshift_domain::epoch::Epoch;
    use hubshift_domain::storm::{Strategy, simulate};

    use super::*;

    #[test]
    fn a_picture_names_every_strategy() {
        let scenario = Scenario {
            devices: 500,
            admission_per_second: 100,
            utilisation_percent: 80,
            poll: Duration::from_secs(5),
            retry: Duration::from_secs(10),
            horizon: Duration::from_secs(100),
            epoch: Epoch(2048),
            seed: 1,
        };
        let outcomes = Strategy::ALL.map(|strategy| simulate(&scenario, strategy));
        let svg = svg(&scenario, &outcomes).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for strategy in Strategy::ALL {
            assert!(svg.contains(strategy.as_str()), "{}", strategy.as_str());
        }
    }
}
