//! What happens between the services: three proxies and a pipe of notifications.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use landfall_core::config::Timeouts;
use landfall_local::proxy::{Fault, Proxy, answers};
use landfall_local::s3::ObjectCreated;
use landfall_local::stack::{Between, Endpoints, UPSERT};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::deck::{Deck, Random, Site};
use super::kind::{Kind, Tally};
use super::{Leg, Options};

/// A process of a function is to be killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kill {
    pub(crate) function: &'static str,
    pub(crate) after: Duration,
    pub(crate) kind: Kind,
}

/// A fault, so many times in a row: a client that tries again meets the next one.
type Card = (Kind, usize);

/// The proxies of a storm.
#[derive(Debug)]
pub(crate) struct Weather {
    s3: Proxy,
    lambda: Proxy,
    snowflake: Proxy,
    notifications: Option<Deck<Kind>>,
    tally: Tally,
}

/// Deals for one proxy.
struct Dealer {
    deck: Deck<Card>,
    again: Option<Card>,
    /// Cancellations that are to get no answer.
    n_silent: usize,
}

impl Dealer {
    fn new(options: &Options, site: Site, cards: &[(Card, usize)], n_blank: usize) -> Mutex<Self> {
        // The redrive leg is about the mapping alone.
        let cards = if options.leg == Leg::Redrive { &[] } else { cards };
        let deck = Deck::new(Random::new(options.seed, site), cards, n_blank);
        Mutex::new(Self { deck, again: None, n_silent: 0 })
    }

    fn deal(&mut self) -> Option<Kind> {
        let (kind, times) = match self.again.take() {
            Some(card) => card,
            None => self.deck.deal()?,
        };
        self.again = (times > 1).then(|| (kind, times - 1));
        Some(kind)
    }
}

impl Weather {
    pub(crate) async fn start(options: &Options, tally: &Tally, kills: UnboundedSender<Kill>) -> io::Result<Self> {
        let timeouts = Timeouts::scaled(options.time_scale);
        let notifications = [(Kind::NotificationLost, 2), (Kind::NotificationDoubled, 2), (Kind::NotificationLate, 2)];
        let random = Random::new(options.seed, Site::Snowpipe);
        Ok(Self {
            s3: Proxy::start(s3(options, timeouts, tally.clone())).await?,
            lambda: Proxy::start(lambda(options, tally.clone(), kills)).await?,
            snowflake: Proxy::start(snowflake(options, timeouts, tally.clone())).await?,
            notifications: (options.leg != Leg::Redrive).then(|| Deck::new(random, &notifications, 30)),
            tally: tally.clone(),
        })
    }

    /// Waits until nothing is on its way any more.
    pub(crate) async fn settled(&self) {
        tokio::join!(self.lambda.settled(), self.s3.settled(), self.snowflake.settled());
    }
}

fn s3(options: &Options, timeouts: Timeouts, tally: Tally) -> impl Fn(&Request<Bytes>) -> Option<Fault> + use<> {
    let cards = [
        ((Kind::S3InternalError, 1), 2),
        // More than the client has attempts, over several objects: a batch fails.
        ((Kind::S3InternalError, 8), 1),
        // One: the client's rate limiter keeps its own time, which is not scaled.
        ((Kind::S3SlowDown, 1), 1),
        ((Kind::S3ResetBefore, 1), 2),
        ((Kind::S3ResetAfter, 1), 3),
        ((Kind::S3NeverAnswers, 1), 2),
        ((Kind::S3Late, 1), 1),
    ];
    let dealer = Dealer::new(options, Site::S3, &cards, 220);
    // After the client has given up on the attempt.
    let late = timeouts.put_attempt().mul_f64(1.3);
    move |request| {
        let kind = (request.method() == Method::PUT).then(|| lock(&dealer).deal()).flatten()?;
        tally.count(kind);
        match kind {
            Kind::S3InternalError => Some(Fault::Answer(answers::s3_internal_error())),
            Kind::S3SlowDown => Some(Fault::Answer(answers::s3_slow_down())),
            Kind::S3ResetBefore => Some(Fault::ResetBefore),
            Kind::S3ResetAfter => Some(Fault::ResetAfter),
            Kind::S3NeverAnswers => Some(Fault::NeverAnswer),
            Kind::S3Late => Some(Fault::Delay(late)),
            _ => None,
        }
    }
}

fn snowflake(options: &Options, timeouts: Timeouts, tally: Tally) -> impl Fn(&Request<Bytes>) -> Option<Fault> + use<> {
    let cards = [
        ((Kind::SnowflakeResetBefore, 1), 1),
        ((Kind::SnowflakeResetAfter, 1), 1),
        ((Kind::SnowflakeSessionGone, 1), 1),
        ((Kind::SnowflakeLockWaiters, 1), 1),
        ((Kind::SnowflakeTimeOut, 1), 1),
        ((Kind::SnowflakeNeverAnswers, 1), 1),
        ((Kind::SnowflakeLate, 1), 1),
        ((Kind::UpsertTimedOut, 1), 1),
    ];
    let dealer = Dealer::new(options, Site::Snowflake, &cards, options.n_blank(8));
    let late = timeouts.statement().mul_f64(1.4);
    move |request| {
        let mut dealer = lock(&dealer);
        if request.uri().path() == "/queries/v1/abort-request" {
            // Upsert waits for the answer to that too, and Lambda kills it.
            dealer.n_silent = dealer.n_silent.checked_sub(1)?;
            tally.count(Kind::UpsertTimedOut);
            return Some(Fault::NeverAnswer);
        }
        let is_query = request.uri().path() == "/queries/v1/query-request";
        let kind = is_query.then(|| dealer.deal()).flatten()?;
        if kind == Kind::UpsertTimedOut {
            dealer.n_silent += 1;
            return Some(Fault::NeverAnswer);
        }
        tally.count(kind);
        match kind {
            Kind::SnowflakeResetBefore => Some(Fault::ResetBefore),
            Kind::SnowflakeResetAfter => Some(Fault::ResetAfter),
            Kind::SnowflakeSessionGone => {
                let has_expired = dealer.deck.random.below(2) == 0;
                Some(Fault::Answer(answers::snowflake_session_gone(has_expired)))
            }
            Kind::SnowflakeLockWaiters => Some(Fault::Answer(answers::snowflake_lock_waiters())),
            Kind::SnowflakeTimeOut => Some(Fault::Answer(answers::snowflake_time_out())),
            Kind::SnowflakeNeverAnswers => Some(Fault::NeverAnswer),
            Kind::SnowflakeLate => Some(Fault::Delay(late)),
            _ => None,
        }
    }
}

fn lambda(
    options: &Options,
    tally: Tally,
    kills: UnboundedSender<Kill>,
) -> impl Fn(&Request<Bytes>) -> Option<Fault> + use<> {
    let cards = [
        ((Kind::UpsertThrottled, 1), 1),
        // More than the client has attempts: a batch fails.
        ((Kind::UpsertThrottled, 4), 1),
        ((Kind::UpsertAnswerLost, 1), 2),
        ((Kind::UpsertNeverAnswers, 1), 1),
        ((Kind::UpsertKilled, 1), 3),
    ];
    let dealer = Dealer::new(options, Site::Lambda, &cards, options.n_blank(8));
    move |_| {
        let mut dealer = lock(&dealer);
        let kind = dealer.deal()?;
        if kind == Kind::UpsertKilled {
            let after = Duration::from_millis(dealer.deck.random.below(60) as u64);
            // Nobody kills any more at the end of a storm.
            let _ = kills.send(Kill { function: UPSERT, after, kind });
            return None;
        }
        tally.count(kind);
        match kind {
            Kind::UpsertThrottled => Some(Fault::Answer(answers::lambda_throttle())),
            Kind::UpsertAnswerLost => Some(Fault::ResetAfter),
            Kind::UpsertNeverAnswers => Some(Fault::NeverAnswer),
            _ => None,
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Between for &mut Weather {
    fn endpoints(&mut self, real: Endpoints) -> Endpoints {
        self.s3.forward_to(&real.s3);
        self.lambda.forward_to(&real.lambda);
        self.snowflake.forward_to(&real.snowflake);
        let [s3, lambda, snowflake] = [&self.s3, &self.lambda, &self.snowflake].map(Proxy::endpoint);
        Endpoints { s3, lambda, snowflake, ..real }
    }

    fn notifications(&mut self, mut real: UnboundedReceiver<ObjectCreated>) -> UnboundedReceiver<ObjectCreated> {
        let Some(mut deck) = self.notifications.take() else { return real };
        let (tell, told) = mpsc::unbounded_channel();
        let tally = self.tally.clone();
        tokio::spawn(async move {
            let mut late = None;
            while let Some(created) = real.recv().await {
                // Of dead letters no pipe is told.
                let kind = created.key.ends_with(".csv").then(|| deck.deal()).flatten();
                kind.iter().for_each(|kind| tally.count(*kind));
                // A pipe that is gone is told nothing.
                let tell = |created| drop(tell.send(created));
                match kind {
                    Some(Kind::NotificationLost) => {}
                    Some(Kind::NotificationLate) => late.replace(created).into_iter().for_each(tell),
                    Some(_) => [created.clone(), created].into_iter().for_each(tell),
                    None => [Some(created), late.take()].into_iter().flatten().for_each(tell),
                }
            }
        });
        told
    }
}
