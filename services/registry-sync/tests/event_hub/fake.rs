//! An event hub with two partitions: AMQP over TLS, a login, a management node that knows the
//! partitions, and links that bring their messages.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fe2o3_amqp::acceptor::{
    ConnectionAcceptor, LinkAcceptor, LinkEndpoint, SaslPlainMechanism, SessionAcceptor,
};
use fe2o3_amqp::types::messaging::{
    AmqpValue, ApplicationProperties, Body, Data, Message, MessageAnnotations, Properties, Source,
};
use fe2o3_amqp::types::primitives::{Array, OrderedMap, SimpleValue, Value};
use fe2o3_amqp::{Receiver, Sender};
use hubshift_shell::tls::{DevAuthority, ServerTls};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::io::{DuplexStream, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

const POLICY: &str = "service";
const ENTITY: &str = "iothub-ehub-acme";
const GROUP: &str = "hubshift";
/// The first label of the emulated hubs' hosts.
const HUB_NAME: &str = "127";

/// A message as it lies in a partition.
#[derive(Clone)]
pub(crate) struct Stored {
    partition: &'static str,
    enqueue_time: OffsetDateTime,
    source: &'static str,
    properties: Vec<(&'static str, String)>,
}

impl Stored {
    /// What the hub says of a device.
    pub(crate) fn lifecycle(operation: &str, device: &str) -> Self {
        Self::of("deviceLifecycleEvents", operation, device)
    }

    /// What a device says, with properties that look like the hub's.
    pub(crate) fn telemetry(operation: &str, device: &str) -> Self {
        Self::of("Telemetry", operation, device)
    }

    fn of(source: &'static str, operation: &str, device: &str) -> Self {
        let now = OffsetDateTime::now_utc();
        Self {
            partition: "0",
            enqueue_time: now,
            source,
            properties: vec![
                ("hubName", HUB_NAME.to_owned()),
                ("deviceId", device.to_owned()),
                ("opType", operation.to_owned()),
                ("operationTimestamp", now.format(&Rfc3339).unwrap()),
            ],
        }
    }

    pub(crate) fn in_partition(mut self, partition: &'static str) -> Self {
        self.partition = partition;
        self
    }

    pub(crate) fn enqueued(mut self, time: OffsetDateTime) -> Self {
        self.enqueue_time = time;
        self
    }

    pub(crate) fn of_hub(mut self, name: &str) -> Self {
        self.properties[0].1 = name.to_owned();
        self
    }

    fn enqueue_ms(&self) -> i64 {
        self.enqueue_time.unix_timestamp() * 1000
    }

    fn message(&self) -> Message<Data> {
        let mut properties = ApplicationProperties::builder();
        for (name, value) in &self.properties {
            properties = properties.insert(*name, value.clone());
        }
        let annotations = MessageAnnotations::builder()
            .insert("iothub-message-source", self.source)
            .build();
        Message::builder()
            .message_annotations(annotations)
            .application_properties(properties.build())
            .data(b"{}".to_vec())
            .build()
    }
}

/// The event hub. It ends when this is dropped.
pub(crate) struct EventHub {
    addr: SocketAddr,
    key: String,
    files: TempDir,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What every connection works with.
struct Shared {
    key: String,
    stored: watch::Sender<Vec<Stored>>,
    /// How often a login succeeded.
    logins: AtomicUsize,
    /// What carries each connection's bytes.
    relays: Mutex<Vec<AbortHandle>>,
}

impl EventHub {
    pub(crate) async fn start(key: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let authority = DevAuthority::create(files.path()).unwrap();
        let (cert, tls_key) = authority
            .issue("event-hub", &["127.0.0.1".to_owned()])
            .unwrap();
        let tls = ServerTls {
            cert,
            key: tls_key,
            client_ca: None,
        };
        let tls = TlsAcceptor::from(tls.load().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            key: key.to_owned(),
            stored: watch::Sender::new(Vec::new()),
            logins: AtomicUsize::new(0),
            relays: Mutex::default(),
        });
        Self {
            addr,
            key: key.to_owned(),
            files,
            shared: shared.clone(),
            accepting: tokio::spawn(accept(listener, tls, shared)),
        }
    }

    /// The part of registry-sync's configuration that reads it as the events of east.
    pub(crate) fn config(&self) -> String {
        self.config_with_key(&self.key)
    }

    /// The same with another key.
    pub(crate) fn config_with_key(&self, key: &str) -> String {
        let endpoint = format!(
            "Endpoint=sb://{}/;SharedAccessKeyName={POLICY};SharedAccessKey={key};EntityPath={ENTITY}",
            self.addr
        );
        let secret = self.path("endpoint");
        std::fs::write(&secret, endpoint).unwrap();
        format!(
            "[[event_hubs]]
             fleet = 'acme'
             hub = 'east'
             endpoint = 'file:{}'
             consumer_group = '{GROUP}'
             ca = '{}'",
            secret.display(),
            self.path("ca.pem").display()
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Puts a message into its partition.
    pub(crate) fn store(&self, message: Stored) {
        self.shared.stored.send_modify(|all| all.push(message));
    }

    /// How often somebody came in.
    pub(crate) fn logins(&self) -> usize {
        self.shared.logins.load(Ordering::SeqCst)
    }

    /// Ends every connection, as a cable that is pulled out does.
    pub(crate) fn cut(&self) {
        for relay in self.shared.relays.lock().unwrap().drain(..) {
            relay.abort();
        }
    }
}

impl Drop for EventHub {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (near, far) = duplex(64 * 1024);
        let relay = connections.spawn(relay(tcp, near));
        shared.relays.lock().unwrap().push(relay);
        connections.spawn(serve(far, tls.clone(), shared.clone()));
    }
}

/// Carries bytes between the client and us until it is aborted.
async fn relay(mut client: TcpStream, mut us: DuplexStream) {
    // Either side may break: then the other one notices.
    let _ = copy_bidirectional(&mut client, &mut us).await;
}

async fn serve(stream: DuplexStream, tls: TlsAcceptor, shared: Arc<Shared>) {
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    let acceptor = ConnectionAcceptor::builder()
        .container_id("event-hub")
        .sasl_acceptor(SaslPlainMechanism::new(POLICY, shared.key.as_str()))
        .build();
    // Boxed: the library's futures are large.
    let Ok(mut connection) = Box::pin(acceptor.accept(Box::new(stream))).await else {
        return;
    };
    shared.logins.fetch_add(1, Ordering::SeqCst);
    let sessions = SessionAcceptor::new();
    let Ok(mut session) = Box::pin(sessions.accept(&mut connection)).await else {
        return;
    };
    let (answer, answers) = mpsc::unbounded_channel();
    let mut answers = Some(answers);
    let acceptor = LinkAcceptor::new();
    let mut links = JoinSet::new();
    while let Ok(link) = Box::pin(acceptor.accept(&mut session)).await {
        match link {
            LinkEndpoint::Receiver(requests) => {
                links.spawn(manage(requests, answer.clone()));
            }
            LinkEndpoint::Sender(sender) => {
                let source = sender.source().clone().unwrap();
                if source.address.as_deref() == Some("$management") {
                    links.spawn(send_answers(sender, answers.take().unwrap()));
                } else {
                    links.spawn(deliver(sender, source, shared.stored.subscribe()));
                }
            }
        }
    }
}

type Answer = Message<AmqpValue<Value>>;

/// Takes requests at the management node.
async fn manage(mut requests: Receiver, answers: mpsc::UnboundedSender<Answer>) {
    while let Ok(request) = requests.recv::<Body<Value>>().await {
        if requests.accept(&request).await.is_err() {
            return;
        }
        let _ = answers.send(answer(request.message()));
    }
}

async fn send_answers(mut sender: Sender, mut answers: mpsc::UnboundedReceiver<Answer>) {
    while let Some(answer) = answers.recv().await {
        if sender.send::<AmqpValue<Value>>(answer).await.is_err() {
            return;
        }
    }
}

fn answer(request: &Message<Body<Value>>) -> Answer {
    let asked = request.application_properties.as_ref().unwrap();
    let is = |name: &str, value: &str| asked.get(name) == Some(&SimpleValue::from(value));
    let is_known = is("operation", "READ") && is("type", "com.microsoft:eventhub");
    let status = if is_known && is("name", ENTITY) {
        200_i32
    } else {
        404
    };
    let mut about = OrderedMap::new();
    about.insert(Value::from("name"), Value::from(ENTITY));
    let partitions = vec![Value::from("0"), Value::from("1")];
    about.insert(
        Value::from("partition_ids"),
        Value::Array(Array(partitions)),
    );
    let properties = request.properties.as_ref().unwrap();
    Message::builder()
        .properties(Properties {
            to: properties.reply_to.clone(),
            correlation_id: properties.message_id.clone(),
            ..Properties::default()
        })
        .application_properties(
            ApplicationProperties::builder()
                .insert("status-code", status)
                .build(),
        )
        .value(Value::Map(about))
        .build()
}

/// Sends what lies in a partition and what comes into it, as far as the receiver's filter wants it.
async fn deliver(mut sender: Sender, source: Source, mut stored: watch::Receiver<Vec<Stored>>) {
    let address = source.address.clone().unwrap();
    let since = since(&source);
    let is_wanted = |message: &Stored| {
        let theirs = format!(
            "{ENTITY}/ConsumerGroups/{GROUP}/Partitions/{}",
            message.partition
        );
        address == theirs && message.enqueue_ms() > since
    };
    let mut seen = 0;
    loop {
        let all = stored.borrow_and_update().clone();
        let wanted = all[seen..].iter().filter(|message| is_wanted(message));
        let wanted: Vec<_> = wanted.map(Stored::message).collect();
        for message in wanted {
            if sender.send::<Data>(message).await.is_err() {
                return;
            }
        }
        seen = all.len();
        if stored.changed().await.is_err() {
            return;
        }
    }
}

/// From when on messages are wanted, in milliseconds.
fn since(source: &Source) -> i64 {
    let filters = source.filter.as_ref().unwrap();
    let filter = filters.get("apache.org:selector-filter:string").unwrap();
    let Value::Described(described) = filter else {
        panic!("{filter:?}")
    };
    let Value::String(text) = &described.value else {
        panic!("{filter:?}")
    };
    text.strip_prefix("amqp.annotation.x-opt-enqueued-time > '")
        .and_then(|rest| rest.strip_suffix('\''))
        .unwrap()
        .parse()
        .unwrap()
}
