//! The command line as a whole: that it is well formed, and where options may stand.

use clap::CommandFactory as _;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

fn fleet_group(line: &str) -> RemoteArgs {
    match parse(line).unwrap().command {
        Command::Fleet(group) => group.remote,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn global_options_stand_before_and_behind_a_command() {
    for line in [
        "hubshift --fleet acme --output json fleet list",
        "hubshift fleet --fleet acme --output json list",
        "hubshift fleet list --fleet acme --output json",
        "hubshift --fleet other fleet list --output json --fleet acme",
    ] {
        let remote = fleet_group(line);
        assert_eq!(remote.fleet.as_deref(), Some("acme"), "{line}");
        assert_eq!(remote.output, Some(OutputFormat::Json), "{line}");
    }
}

#[test]
fn a_flag_before_the_command_is_not_lost() {
    assert!(fleet_group("hubshift -v fleet list").verbose);
    assert!(fleet_group("hubshift fleet list -v").verbose);
    assert!(!fleet_group("hubshift fleet list").verbose);
}

#[test]
fn up_and_demo_do_not_take_an_operators_options() {
    for name in ["up", "demo", "service"] {
        let command = Cli::command();
        let found = command.find_subcommand(name).unwrap();
        assert!(
            found.get_arguments().all(|arg| arg.get_id() != "concierge"),
            "{name}"
        );
    }
    assert!(parse("hubshift up --concierge http://127.0.0.1:1").is_err());
}

#[test]
fn the_demos_report_has_a_format_of_its_own() {
    let cli = parse("hubshift demo --devices 5 --output json").unwrap();
    let Command::Demo { output, .. } = cli.command else {
        panic!("{cli:?}")
    };
    assert_eq!(output, Some(OutputFormat::Json));
}

#[test]
fn every_operators_command_shows_an_example() {
    let command = Cli::command();
    for group in command
        .get_subcommands()
        .filter(|group| group.has_subcommands())
    {
        for leaf in group.get_subcommands().filter(|_| !group.is_hide_set()) {
            let help = leaf
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let call = format!("hubshift {} {}", group.get_name(), leaf.get_name());
            assert!(help.contains(&call), "{call}: {help}");
        }
    }
}

#[test]
fn a_request_id_that_is_no_uuid_is_refused() {
    assert!(parse("hubshift fleet list --request-id 7").is_err());
}

#[test]
fn every_command_of_the_reference_is_understood() {
    let reference = include_str!("../../../../docs/cli.md");
    let spans = reference.split('`').skip(1).step_by(2);
    let lines = spans.filter(|span| span.starts_with("hubshift ") && !span.contains("GROUP"));
    let mut count = 0;
    for line in lines {
        let words = words(line.split(" > ").next().unwrap());
        let result = Cli::try_parse_from(words);
        assert!(result.is_ok(), "{line}: {}", result.unwrap_err());
        count += 1;
    }
    assert!(count > 45, "{count}");
}

/// Words as a shell splits them; only single quotes are known.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in line.chars() {
        match (letter, words.last_mut()) {
            ('\'', _) => quoted = !quoted,
            (' ', _) if !quoted => words.push(String::new()),
            (letter, Some(word)) => word.push(letter),
            (_, None) => {}
        }
    }
    words
}
