//! How long a publish takes: 60 crates in 12 layers, into a registry whose index shows a crate 2 s after its upload. Beside
//! it, on lines `ratio: NAME VALUE (at most LIMIT)`: the least that it can take, and `cargo publish` crate by crate, as
//! Wasmtime does it. And the question what is missing, to an index that answers after 50 ms, and how the time of
//! `verify --fast` grows with a chain of crates. Over a limit, the bench fails.

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use support::publishing::{Failure, Publishing, Rules};
use support::text;

const LAYERS: u32 = 12;
const WIDTH: u32 = 5;
const DELAY: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    // The least: cargo packages and uploads everything, and has to wait for the index once a layer.
    let uploads = cargo(&market(Duration::ZERO), "--workspace");
    let bound = uploads + LAYERS * DELAY;
    let market_of_ours = market(DELAY);
    let publish = time(market_of_ours.xtask(""));
    assert_eq!(market_of_ours.uploads(), (LAYERS * WIDTH) as usize);
    println!(
        "uploads alone {uploads:.1?}, with the waits at least {bound:.1?}, publish {publish:.1?}"
    );
    let mut within = vec![ratio("publish/bound", publish, bound, 1.15)];

    let market = market(DELAY);
    let one_by_one: Duration = names()
        .map(|name| cargo(&market, &format!("--package {name}")))
        .sum();
    println!("crate by crate {one_by_one:.1?}");
    within.push(ratio("publish/one-by-one", publish, one_by_one, 0.35));

    // All are there, so `publish` asks and does nothing else. What it does besides is what it takes when the index answers
    // at once.
    let late = |_: &str, path: &str, _: usize| {
        path.starts_with("/index/de/")
            .then_some(Failure::Late(ANSWER))
    };
    let slow = market.again(Rules {
        fault: Some(Box::new(late)),
        ..Rules::default()
    });
    let accepted: String = names().map(|name| format!("--accept {name} ")).collect();
    let best = |market: &Publishing| {
        (0..3)
            .map(|_| time(market.xtask(&accepted)))
            .min()
            .unwrap_or_default()
    };
    let (slow_ask, in_turn) = (best(&slow), ask_in_turn(&slow));
    let ask = slow_ask - best(&slow.again(Rules::default()));
    println!("60 answers of {ANSWER:?} at once {ask:.1?}, in turn {in_turn:.1?}");
    within.push(ratio("missing/in-turn", ask, in_turn, 0.1));

    let (short, long) = (verify(100), verify(1_000));
    println!("a chain of 100 crates: verify --fast {short:.1?}, of 1,000 {long:.1?}");
    within.push(ratio("verify-1000/verify-100", long, short, 11.0));
    if within.contains(&false) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn ratio(name: &str, one: Duration, other: Duration, limit: f64) -> bool {
    let ratio = one.as_secs_f64() / other.as_secs_f64();
    println!("ratio: {name} {ratio:.3} (at most {limit})");
    ratio <= limit
}

/// The crates in a workspace, each depending on two of the layer below, and an empty registry.
fn market(delay: Duration) -> Publishing {
    let needs = |at: u32| (0..2).map(move |other| name(at / WIDTH - 1, (at + other) % WIDTH));
    let line = |at: u32| match at / WIDTH {
        0 => name(0, at),
        layer => format!(
            "{}: {}",
            name(layer, at % WIDTH),
            needs(at).collect::<Vec<_>>().join(" ")
        ),
    };
    let crates: Vec<String> = (0..LAYERS * WIDTH).map(line).collect();
    let crates: Vec<&str> = crates.iter().map(String::as_str).collect();
    Publishing::new(
        &crates,
        Rules {
            delay,
            ..Rules::default()
        },
    )
}

/// How long `verify --fast` takes for a chain of so many crates.
fn verify(count: usize) -> Duration {
    let line = |at: usize| match at {
        0 => "c0".to_string(),
        _ => format!("c{at}: c{}", at - 1),
    };
    let crates: Vec<String> = (0..count).map(line).collect();
    let crates: Vec<&str> = crates.iter().map(String::as_str).collect();
    let chain = Publishing::new(&crates, Rules::default());
    let notes = "## 1.0.0\n\nUnreleased.\n";
    chain.tree.write("RELEASES.md", notes);
    chain.tag();
    time(chain.command("cargo", "generate-lockfile --offline"));
    let runs = (0..3).map(|_| time(chain.command(env!("CARGO_BIN_EXE_xtask"), "verify --fast")));
    runs.min().unwrap_or_default()
}

fn names() -> impl Iterator<Item = String> {
    (0..LAYERS * WIDTH).map(|at| name(at / WIDTH, at % WIDTH))
}

fn name(layer: u32, place: u32) -> String {
    format!("demo-{layer:02}-{place}")
}

fn cargo(market: &Publishing, packages: &str) -> Duration {
    time(market.command(
        "cargo",
        &format!("publish --no-verify --registry rehearsal {packages}"),
    ))
}

fn time(mut command: Command) -> Duration {
    let begun = Instant::now();
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    begun.elapsed()
}

/// Asks for each crate over one connection, as simply as it can be done.
fn ask_in_turn(market: &Publishing) -> Duration {
    let index = market.registry.index();
    let host = index
        .trim_start_matches("sparse+http://")
        .trim_end_matches("/index/");
    let begun = Instant::now();
    let mut stream = BufReader::new(TcpStream::connect(host).unwrap());
    for name in names() {
        let request = format!("GET /index/de/{name} HTTP/1.1\r\nUser-Agent: bench\r\n\r\n");
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).unwrap();
            match header.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().unwrap(),
                _ if header == "\r\n" => break,
                _ => {}
            }
        }
        stream.read_exact(&mut vec![0; length]).unwrap();
    }
    begun.elapsed()
}
