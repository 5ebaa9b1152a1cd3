//! An MQTT client of the embedded ecosystem, rust-mqtt, on this stack: a dialogue with a real broker.
//!
//! ```text
//! cargo run --features embedded-io --example mqtt -- --lab -- sh tests/peers/mosquitto.sh 192.168.69.100 1883
//! ```

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZero,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use glasstack::{
    Error,
    host::{Parker, lab::LINUX_V4},
    socket::{Network, TcpStream, block_on, timeout},
    stack::Capacity,
};
use rust_mqtt::{
    buffer::AllocBuffer,
    client::{
        Client, MqttError,
        event::Event,
        options::{
            ConnectOptions, DisconnectOptions, PublicationOptions, SubscriptionOptions,
            TopicReference,
        },
    },
    config::KeepAlive,
    types::{MqttString, TopicFilter, TopicName},
};

mod place;

/// Subscribes, publishes, hears itself, keeps the connection alive and leaves: by rust-mqtt, an MQTT 5 client that knows no
/// network, only embedded-io-async's traits.
///
/// With --lab the peer COMMAND is started first and ended afterwards:
///
///   mqtt --lab -- sh tests/peers/mosquitto.sh 192.168.69.100 1883
#[derive(Parser)]
#[command(verbatim_doc_comment, after_help = place::HELP)]
struct Options {
    /// The broker's address
    #[arg(long, default_value_t = LINUX_V4.into())]
    address: IpAddr,
    /// The broker's port
    #[arg(long, default_value_t = 1883)]
    port: u16,
    /// The topic to subscribe to and to publish on
    #[arg(long, default_value = "glass/greetings")]
    topic: String,
    /// The broker hangs up on a client that is silent for half as long again
    #[arg(long, value_name = "SECONDS", default_value = "2")]
    keep_alive: NonZero<u16>,
    /// Leave after so many answers to a PINGREQ
    #[arg(long, default_value_t = 3)]
    pings: u32,
    #[command(flatten)]
    place: place::Place,
}

fn main() -> ExitCode {
    place::exit(run(Options::parse()))
}

fn run(options: Options) -> place::Result<ExitCode> {
    let broker = SocketAddr::new(options.address, options.port);
    let (topic, keep_alive, pings) = (options.topic, options.keep_alive, options.pings);
    let running = options
        .place
        .enter(place::Side::Left, Capacity::default(), None)?;
    let peer = running.start_peer()?;
    let parker = Parker::new()?;
    let stream = running
        .patiently(|| block_on(&parker, TcpStream::connect(&running.host, broker)))
        .map_err(|error| format!("{broker}: {error}"))?;
    block_on(
        &parker,
        converse(&running.host, stream, &topic, keep_alive, pings),
    )?;
    running.end(peer)?;
    Ok(ExitCode::SUCCESS)
}

/// The dialogue, on any network: a host as here, or a stack on a microcontroller.
async fn converse<N: Network>(
    network: N,
    stream: TcpStream<N>,
    topic: &str,
    keep_alive: NonZero<u16>,
    pings: u32,
) -> Result<(), String> {
    // On a microcontroller, a `BumpBuffer`: what arrives has to be put somewhere. The numbers: subscriptions, then
    // publications under way in, and out; then properties that nobody here uses.
    let mut memory = AllocBuffer;
    let mut mqtt: Client<_, _, 1, 2, 2, 0, 0, 0, 0> = Client::new(&mut memory);
    let name = MqttString::from_str("glasstack").map_err(told)?;
    let options = ConnectOptions::new()
        .clean_start()
        .keep_alive(KeepAlive::Seconds(keep_alive));
    mqtt.connect(stream, &options, Some(name))
        .await
        .map_err(failed)?;
    println!("Connected.");

    let topic = MqttString::from_str(topic).map_err(told)?;
    let filter = TopicFilter::new(topic.as_borrowed()).ok_or("no topic filter")?;
    let subscription = SubscriptionOptions::new().at_least_once();
    mqtt.subscribe(filter, &subscription)
        .await
        .map_err(failed)?;
    let topic = TopicName::new(topic.as_borrowed()).ok_or("no topic name")?;
    let publication = PublicationOptions::new(TopicReference::Name(topic)).at_least_once();

    // MQTT 5 §3.1.2.10: whoever has nothing to say says PINGREQ in time. The pause is on the network's clock, and gives up
    // nothing: of a header that has come in part, the next `poll_header` has the rest.
    let pause = Duration::from_secs(keep_alive.get().into()) / 2;
    let (mut is_asked, mut answers) = (false, 0);
    while answers < pings {
        let header = match timeout(&network, pause, mqtt.poll_header()).await {
            Ok(header) => header.map_err(failed)?,
            Err(Error::TimedOut) if !is_asked => {
                println!("PINGREQ");
                mqtt.ping().await.map_err(failed)?;
                is_asked = true;
                continue;
            }
            Err(Error::TimedOut) => return Err("no answer to a PINGREQ".into()),
            Err(error) => return Err(error.to_string()),
        };
        match mqtt.poll_body(header).await.map_err(failed)? {
            Event::Suback(suback) => {
                println!("Subscribed: {:?}", suback.reason_code);
                let greeting = "Hello, Michael!".as_bytes();
                mqtt.publish(&publication, greeting.into())
                    .await
                    .map_err(failed)?;
            }
            Event::PublishAcknowledged(_) => println!("Published."),
            Event::Publish(publish) => {
                println!(
                    "Received: {}",
                    String::from_utf8_lossy(publish.message.as_bytes())
                );
            }
            Event::Pingresp => {
                println!("PINGRESP");
                (is_asked, answers) = (false, answers + 1);
            }
            event => return Err(format!("the broker says {event:?}")),
        }
    }
    mqtt.disconnect(&DisconnectOptions::new())
        .await
        .map_err(failed)?;
    println!("Disconnected.");
    Ok(())
}

/// The client's errors have no text of their own.
fn failed(error: MqttError<'_, 0>) -> String {
    told(error)
}

fn told(error: impl std::fmt::Debug) -> String {
    format!("MQTT: {error:?}")
}
