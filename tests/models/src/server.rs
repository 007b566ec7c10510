//! A server, what was asked of it, and what it holds back.

use crate::{
    ApiError, Call, Content, Dialect, Fault, Point, Purpose, Reply, Tool, Usage,
    call::Asked,
    line::{Answer, Body},
};
use http_body_util::{BodyExt, Limited};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{net::TcpListener, runtime, sync::watch};

/// The model that a server offers if it is not told otherwise.
const MODEL: &str = "test-model-1";
/// A request of more bytes is refused.
const LARGEST: usize = 32 << 20;
/// What is being said when a fault comes in between.
const INTERRUPTED: &str = "This café is where the answer ends that nobody will ever hear to its end.";

/// A server that answers until it is dropped.
pub struct Server {
    /// `http://127.0.0.1:…`
    pub origin: String,
    /// The same with the dialect's prefix: what clients take for the address of the API.
    pub url: String,
    shared: Arc<Shared>,
    runtime: Option<runtime::Runtime>,
}

/// What a server is before it is started.
pub struct Setup {
    dialect: Dialect,
    prefixes: Vec<String>,
    models: Vec<String>,
    wants_key: bool,
}

struct Shared {
    setup: Setup,
    reply: Box<dyn Fn(&Call) -> Reply + Send + Sync>,
    calls: Mutex<Vec<Call>>,
    usage: Mutex<Usage>,
    held: watch::Sender<bool>,
}

/// The last delta of each stream is held back until this is dropped.
pub struct Held(Arc<Shared>);

impl Setup {
    pub fn new(dialect: Dialect) -> Self {
        let prefixes = dialect.prefixes().iter().map(|&prefix| prefix.to_owned()).collect();
        Self { dialect, prefixes, models: vec![MODEL.to_owned()], wants_key: dialect.wants_key() }
    }

    /// Its addresses begin with `prefix` and not as is usual for the dialect.
    pub fn at(mut self, prefix: &str) -> Self {
        self.prefixes = vec![prefix.to_owned()];
        self
    }

    /// The models that it lists. It answers for any.
    pub fn models(mut self, models: &[&str]) -> Self {
        self.models = models.iter().map(|&model| model.to_owned()).collect();
        self
    }

    /// It answers without a key as well, as servers at home do.
    pub fn keyless(mut self) -> Self {
        self.wants_key = false;
        self
    }

    /// Starts it on a free port of this machine.
    ///
    /// # Panics
    /// There is no port, or no thread.
    pub fn start(self, reply: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Server {
        let runtime =
            runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread can be had");
        let std = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let origin = format!("http://{}", std.local_addr().expect("a bound port has an address"));
        std.set_nonblocking(true).expect("a socket can be asked without waiting");
        let url = format!("{origin}{}", self.prefixes[0]);
        let shared = Arc::new(Shared {
            setup: self,
            reply: Box::new(reply),
            calls: Mutex::default(),
            usage: Mutex::new(Usage::DEFAULT),
            held: watch::Sender::new(false),
        });
        runtime.spawn(listen(std, shared.clone()));
        Server { origin, url, shared, runtime: Some(runtime) }
    }
}

impl Server {
    /// A server as is usual for the dialect.
    pub fn start(dialect: Dialect, reply: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        Setup::new(dialect).start(reply)
    }

    /// Every call so far, in the order in which they came.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    /// How often that model was asked for something.
    pub fn count(&self, model: &str) -> usize {
        let calls = lock(&self.shared.calls);
        calls.iter().filter(|call| call.purpose != Purpose::Listing && call.model == model).count()
    }

    /// What answers are said to take from now on.
    pub fn takes(&self, usage: Usage) {
        *lock(&self.shared.usage) = usage;
    }

    /// Holds back the last delta of each stream, and all behind it.
    #[must_use = "what is held is let go when this is dropped"]
    pub fn hold(&self) -> Held {
        self.shared.held.send_replace(true);
        Held(self.shared.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.send_replace(false);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test may be in a runtime of its own, where nothing may wait for another to end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).expect("the socket is non-blocking");
    while let Ok((connection, _)) = listener.accept().await {
        let shared = shared.clone();
        // As servers do: else a piece waits forty milliseconds for the client's word on the one before.
        let _ = connection.set_nodelay(true);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&shared, request));
            // A client that goes away is its own affair.
            drop(http1::Builder::new().serve_connection(TokioIo::new(connection), service).await);
        });
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let held = shared.held.subscribe();
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut asked = Asked {
        method: head.method.to_string(),
        path: shared.setup.prefixes.iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or("/").to_owned(),
        whole_path: path,
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: Value::Null,
    };
    let speaker = shared.setup.dialect.speaker();
    let nobody = asked.call(Purpose::Listing);
    let Ok(body) = Limited::new(body, LARGEST).collect().await else {
        return speaker.fails(&nobody, &ApiError::TooLarge).send(None, held).await;
    };
    let body = body.to_bytes();
    if !body.is_empty() {
        match serde_json::from_slice(&body) {
            Ok(body) => asked.body = body,
            Err(error) => {
                let error = ApiError::Invalid(format!("The body is no JSON: {error}"));
                return speaker.fails(&nobody, &error).send(None, held).await;
            }
        }
    }
    let call = match speaker.read(&asked) {
        None => return Answer::gateway(404).send(None, held).await,
        Some(Err(wrong)) => return speaker.fails(&nobody, &ApiError::Invalid(wrong)).send(None, held).await,
        Some(Ok(call)) => call,
    };
    lock(&shared.calls).push(call.clone());
    let reply = if shared.setup.wants_key && call.key.is_none() {
        Fault::Error(ApiError::Authentication).into()
    } else if let Some(error) = speaker.refuses(&call) {
        Fault::Error(error).into()
    } else {
        (shared.reply)(&call)
    };
    let fault = if let Reply::Fails(fault) = &reply { Some(fault.clone()) } else { None };
    shared.word(&call, reply).send(fault.as_ref(), held).await
}

/// What is being said when it ends.
fn interrupted(call: &Call, point: Point) -> Content {
    match call.tools.first().filter(|_| point == Point::Arguments) {
        Some(tool) => Content::Tools(String::new(), vec![Tool::new(tool, json!({"say": INTERRUPTED}))]),
        None => Content::Text(INTERRUPTED.into()),
    }
}

impl Shared {
    /// What is said to a call, as if nothing came in between.
    fn word(&self, call: &Call, reply: Reply) -> Answer {
        let speaker = self.setup.dialect.speaker();
        match reply {
            Reply::Says(Content::Refused(filter)) if call.purpose == Purpose::Chat && speaker.is_error(filter) => {
                speaker.fails(call, &ApiError::Filtered)
            }
            Reply::Says(content) => self.says(call, &content),
            Reply::Fails(Fault::Error(error)) => speaker.fails(call, &error),
            Reply::Fails(Fault::Late(error)) if call.streams => {
                let mut answer = self.says(call, &Content::Text(INTERRUPTED.into()));
                answer.body.deltas.truncate(1);
                answer.body.closing = vec![speaker.late(call, &error)];
                answer
            }
            Reply::Fails(Fault::Late(error)) => speaker.fails(call, &error),
            Reply::Fails(Fault::WrongType) => Answer::page(),
            Reply::Fails(Fault::HalfCharacter) => self.says(call, &Content::Text(INTERRUPTED.into())).halved(),
            Reply::Fails(Fault::Huge(size)) => self.huge(call, size),
            Reply::Fails(Fault::Hang(point) | Fault::Cut(point) | Fault::Short(point)) => {
                self.says(call, &interrupted(call, point))
            }
        }
    }

    fn says(&self, call: &Call, content: &Content) -> Answer {
        let (speaker, usage) = (self.setup.dialect.speaker(), *lock(&self.usage));
        let answer = match call.purpose {
            Purpose::Listing => speaker.listing(call, &self.setup.models),
            Purpose::Embedding => Answer::json(200, &speaker.vectors(call, usage)),
            Purpose::Chat if call.streams => Answer::events(speaker.script(call, content, usage)),
            Purpose::Chat => Answer::json(200, &speaker.whole(call, content, usage)),
        };
        answer.with(speaker.headers(call, usage))
    }

    /// An answer with that many bytes of text: a short one with more of it in its place. In a stream it is one
    /// delta again and again, which takes no room.
    fn huge(&self, call: &Call, size: usize) -> Answer {
        const DELTA: usize = 64 << 10;
        let long = |bytes: &[u8], short: &str, size| {
            let text = String::from_utf8_lossy(bytes);
            text.replacen(&format!("\"{short}\""), &format!("\"{}\"", "x".repeat(size)), 1)
        };
        // Two letters are two deltas.
        let mut answer = self.says(call, &Content::Text("xx".into()));
        if !call.streams {
            let body = long(&answer.body.deltas.concat(), "xx", size);
            let headers = answer.headers.into_iter().filter(|(name, _)| !name.starts_with("content-")).collect();
            return Answer::whole(200, "application/json", body).with(headers);
        }
        if let Some(delta) = answer.body.deltas.first() {
            answer.body.deltas = vec![long(delta, "x", DELTA).into(); size.div_ceil(DELTA)];
        }
        answer
    }
}
