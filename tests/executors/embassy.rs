//! embassy: a driver that was written for embassy-net, without a heap on the stack's side.

use super::*;
use embassy_executor::{Executor, Spawner};
use embassy_futures::join::{join, join_array};
use embassy_net_driver_channel::{self as channel, driver};
use glasstack::device::Embassy;
use glasstack::socket::Local;
use glasstack::socket::embassy::{Timer, now};
use glasstack::stack::Storage;
use static_cell::StaticCell;

const MTU: usize = 1514;
const VISITORS: usize = 4;

type Memory = Storage<'static, 5, 4, 0, 2048>;
type Channel = channel::State<MTU, 4, 4>;
type Clock = fn() -> Instant;
type Network = Local<'static, Clock>;
type Drive = Runner<&'static Network, Embassy<channel::Device<'static, MTU>>, Timer>;

static LIFE: std::sync::LazyLock<Life> = std::sync::LazyLock::new(|| Life::new(1));

/// A stack over a channel, whose other end is the link's.
fn host(
    number: u8,
    memory: &'static mut Memory,
    state: &'static mut Channel,
    place: &'static StaticCell<Network>,
) -> (&'static Network, Drive, channel::Runner<'static, MTU>) {
    let address = driver::HardwareAddress::Ethernet([2, 0, 0, 0, 0, number]);
    let (mut link, device) = channel::new(state, address);
    link.set_link_state(driver::LinkState::Up);
    let mut device = Embassy::new(device).unwrap();
    assert!(device.is_link_up());
    let mut stack = Stack::new(memory, [number; 16], ());
    let interface = super::join(&mut stack, number, &mut device);
    let network = &*place.init(Local::new(stack, || LIFE.time(now())));
    (
        network,
        Runner::new(network, interface, device, Timer),
        link,
    )
}

/// A cable between two chips.
#[embassy_executor::task]
async fn cable(left: channel::Runner<'static, MTU>, right: channel::Runner<'static, MTU>) {
    async fn carry(
        mut from: channel::TxRunner<'static, MTU>,
        mut to: channel::RxRunner<'static, MTU>,
    ) {
        loop {
            let frame = from.tx_buf().await;
            let len = frame.len();
            to.rx_buf().await[..len].copy_from_slice(frame);
            to.rx_done(len);
            from.tx_done();
        }
    }
    let ((_, left_in, left_out), (_, right_in, right_out)) = (left.split(), right.split());
    join(carry(left_out, right_in), carry(right_out, left_in)).await;
}

#[embassy_executor::task(pool_size = 2)]
async fn drive(network: &'static Network, runner: Drive, tell: mpsc::Sender<Usage>) {
    let usage = live(network, runner, &LIFE).await.unwrap();
    tell.send(usage).unwrap();
}

#[embassy_executor::task]
async fn program(client: &'static Network, server: &'static Network) {
    let listener = TcpListener::bind(server, server_address(), VISITORS).unwrap();
    let visitors = [(); VISITORS].map(|()| visit(client, server_address(), 20_000));
    let (served, visited) = join(serve(listener, VISITORS), join_array(visitors)).await;
    served.unwrap();
    visited.into_iter().for_each(Result::unwrap);
    LIFE.over.wait().await;
}

#[test]
fn a_driver_of_embassys_carries_tcp() {
    let usages = within_time(|| {
        static MEMORY: [StaticCell<Memory>; 2] = [StaticCell::new(), StaticCell::new()];
        static CHANNELS: [StaticCell<Channel>; 2] = [StaticCell::new(), StaticCell::new()];
        static NETWORKS: [StaticCell<Network>; 2] = [StaticCell::new(), StaticCell::new()];
        static EXECUTOR: StaticCell<Executor> = StaticCell::new();
        let host = |number: u8, i: usize| {
            let memory = MEMORY[i].init_with(Storage::new);
            host(
                number,
                memory,
                CHANNELS[i].init_with(Channel::new),
                &NETWORKS[i],
            )
        };
        let (tell, told) = mpsc::channel();
        let mut usages = Vec::new();
        let start = |spawner: Spawner| {
            let (client, client_runner, left) = host(CLIENT, 0);
            let (server, server_runner, right) = host(SERVER, 1);
            spawner.spawn(cable(left, right).unwrap());
            spawner.spawn(drive(client, client_runner, tell.clone()).unwrap());
            spawner.spawn(drive(server, server_runner, tell.clone()).unwrap());
            spawner.spawn(program(client, server).unwrap());
        };
        EXECUTOR.init_with(Executor::new).run_until(start, || {
            usages.extend(told.try_iter());
            usages.len() == 2
        });
        usages
    });
    assert_eq!(usages, [NOTHING, NOTHING]);
}
