"""ACME's pipeline: schema, answers as the source gives them, and a workload with everything that the reference never sees."""
import random
import re
import threading

import psycopg2

import harness

SCHEMA = (harness.ROOT / "schemas" / "acme.sql").read_text(encoding="utf-8")
VIEWS = re.findall(r"CREATE MATERIALIZED VIEW (\w+) AS", SCHEMA)
QUERIES = dict(re.findall(r"CREATE MATERIALIZED VIEW (\w+) AS\s+(.*?);", SCHEMA, re.S))
TABLES = ["customers", "products", "orders", "order_items"]
STATUSES = ["PENDING", "PROCESSING", "REPROCESSING", "COMPLETED", "CANCELED", None]

# Moved about by Mover: whatever a reader sees of them is whole or half a transaction.
KEPT_CUSTOMER, KEPT_ORDERS, KEPT_PRODUCT, KEPT_SUM = 999999, 700, 888888, 12345


def prepare(db, identity="FULL"):
    db.sql(harness.plain_sql(SCHEMA))
    for table in TABLES:
        db.sql(f"ALTER TABLE operations.{table} REPLICA IDENTITY {identity}")


def answers(db, conn=None):
    """The four views as the source answers them now."""
    return {v: db.rows(QUERIES[v], conn) for v in VIEWS}


def sink_rows(sink, conn=None):
    order = {"open_orders_by_delivery_status": "1, 2", "pending_items_by_product": "2 DESC NULLS LAST, 1"}
    return {v: sink.rows(f"SELECT * FROM {v} ORDER BY {order.get(v, '1')}", conn) for v in VIEWS}


def fill(db, orders=300):
    db.sql("""INSERT INTO operations.customers (customer_name) SELECT 'Customer ' || i FROM generate_series(1, 20) i;
        INSERT INTO operations.products (product_name, barcode, unity_price)
            SELECT 'Product ' || i, i, i + 0.25 FROM generate_series(1, 28) i""")
    rng = random.Random(orders)
    for _ in range(orders):
        statement(db.conn.cursor(), rng)


def pick(rng, table, key):
    """A random key, none of the kept ones."""
    return (f"(SELECT {key} FROM operations.{table} WHERE {key} > 0"
            f" OFFSET floor({rng.random()} * (SELECT count(*) FROM operations.{table} WHERE {key} > 0))::int LIMIT 1)")


def order_values(rng):
    date = f"'2024-05-{rng.randrange(1, 9):02}'" if rng.random() < 0.95 else "NULL"
    customer = rng.randrange(1, 21) if rng.random() < 0.95 else "NULL"
    status = rng.choice(STATUSES)
    return date, customer, "NULL" if status is None else f"'{status}'"


def statement(cur, rng):
    """One random statement."""
    r = rng.random()
    date, customer, status = order_values(rng)
    item = pick(rng, "order_items", "order_item_id")
    order = pick(rng, "orders", "order_id")
    quantity = rng.choice(["NULL", 0, rng.randrange(1000), rng.randrange(1000)])
    if r < 0.30:
        cur.execute(f"INSERT INTO operations.orders (order_date, delivery_date, customer_id, status) VALUES ('2024-05-01', {date}, {customer}, {status})"
                    " RETURNING order_id")
        made = cur.fetchone()[0]
        if rng.random() < 0.9:
            cur.execute(f"INSERT INTO operations.order_items (order_id, product_id, quanity) SELECT {made}, 1 + (i * {rng.randrange(1, 29)}) % 28,"
                        f" CASE WHEN i % 7 > 0 THEN i * {rng.randrange(100)} END FROM generate_series(1, {rng.randrange(1, 26)}) i")
    elif r < 0.60:
        cur.execute(f"UPDATE operations.orders SET status = {status}, updated_at = '2024-05-02 01:02:03.456' WHERE order_id = {order}")
    elif r < 0.68:
        cur.execute(f"UPDATE operations.orders SET delivery_date = {date}, customer_id = {customer} WHERE order_id = {order}")
    elif r < 0.74:  # a key change
        cur.execute(f"UPDATE operations.orders SET order_id = nextval('operations.orders_order_id_seq') WHERE order_id = {order}")
    elif r < 0.80:
        cur.execute(f"UPDATE operations.order_items SET quanity = {quantity}, order_id = CASE WHEN {rng.random()} < 0.3 THEN {order} ELSE order_id END"
                    f" WHERE order_item_id = {item}")
    elif r < 0.84:  # an item before its order, or of none
        cur.execute(f"INSERT INTO operations.order_items (order_id, product_id, quanity) VALUES"
                    f" ({rng.choice(['NULL', '(SELECT max(order_id) + 1 FROM operations.orders)'])}, {rng.randrange(1, 29)}, {quantity})")
    elif r < 0.88:
        cur.execute(f"DELETE FROM operations.order_items WHERE order_item_id = {item}")
    elif r < 0.92:
        cur.execute(f"DELETE FROM operations.orders WHERE order_id = {order}")
    elif r < 0.95:  # deleted and inserted again
        cur.execute(f"WITH gone AS (DELETE FROM operations.orders WHERE order_id = {order} RETURNING *)"
                    " INSERT INTO operations.orders SELECT order_id + 100000000, order_date, delivery_date, customer_id, status FROM gone")
    elif r < 0.98:
        cur.execute(f"UPDATE operations.customers SET customer_address = 'Straße {rng.randrange(9)}', is_active = NOT is_active WHERE customer_id = "
                    + pick(rng, "customers", "customer_id"))
    else:
        cur.execute(f"UPDATE operations.products SET unity_price = {rng.randrange(10000) / 100} WHERE product_id = {rng.randrange(1, 29)}")


def transaction(conn, rng):
    """One random transaction of the connection, which is not in autocommit; conflicts with others are rolled back."""
    cur = conn.cursor()
    try:
        for _ in range(rng.choice([1, 1, 2, 5])):
            if rng.random() < 0.25:
                cur.execute("SAVEPOINT s")
                statement(cur, rng)
                cur.execute("ROLLBACK TO s" if rng.random() < 0.5 else "RELEASE s")
            else:
                statement(cur, rng)
        if rng.random() < 0.15:
            conn.rollback()
        else:
            conn.commit()
    except (psycopg2.errors.DeadlockDetected, psycopg2.errors.UniqueViolation, psycopg2.errors.SerializationFailure):
        conn.rollback()


class Worker(threading.Thread):
    """Runs `step` again and again until stopped; may be paused. A failure is kept and raised by check()."""

    def __init__(self, step, rest=0.0):
        super().__init__(daemon=True)
        self.step, self.rest = step, rest
        self.steps = 0
        self.error = None
        self._stop_asked = threading.Event()
        self._go = threading.Event()
        self._go.set()
        self._still = threading.Event()
        self.start()

    def run(self):
        try:
            while not self._stop_asked.is_set():
                if not self._go.is_set():
                    self._still.set()
                    self._go.wait(0.05)
                    continue
                self._still.clear()
                self.step()
                self.steps += 1
                self._stop_asked.wait(self.rest)
        except BaseException as e:  # pylint: disable=broad-except
            self.error = e
        finally:
            self._still.set()

    def pause(self):
        self._still.clear()
        self._go.clear()
        assert self._still.wait(60)
        self.check()

    def go_on(self):
        self._go.set()

    def end(self, check=True):
        self._stop_asked.set()
        self._go.set()
        self.join(60)
        if check:
            self.check()

    def check(self):
        if self.error is not None:
            raise AssertionError(f"a helper thread failed: {self.error!r}") from self.error


def load_worker(db, seed, rest=0.0):
    conn = db.connect(autocommit=False)
    rng = random.Random(seed)
    return Worker(lambda: transaction(conn, rng), rest)


def add_kept(db):
    db.sql(f"""INSERT INTO operations.orders (order_id, delivery_date, customer_id, status)
            SELECT -i, '2024-06-01', {KEPT_CUSTOMER}, 'PENDING' FROM generate_series(1, {KEPT_ORDERS}) i;
        INSERT INTO operations.order_items (order_item_id, order_id, product_id, quanity)
            SELECT -i, -i, {KEPT_PRODUCT}, CASE i WHEN 1 THEN {KEPT_SUM} ELSE 0 END FROM generate_series(1, 10) i""")


def mover(db, seed):
    """Moves kept orders between dates, states, keys and back, and quantities between kept items: sums never change."""
    conn = db.connect(autocommit=False)
    rng = random.Random(seed)

    def step():
        cur = conn.cursor()
        some = f"customer_id = {KEPT_CUSTOMER} AND order_id % 37 = {rng.randrange(-36, 1)} AND order_id < -10"
        if rng.random() < 0.5:
            cur.execute(f"UPDATE operations.orders SET delivery_date = '2024-06-{rng.randrange(1, 20):02}', status = '{rng.choice(STATUSES[:3])}' WHERE {some}")
        else:
            cur.execute(f"CREATE TEMP TABLE moved ON COMMIT DROP AS SELECT * FROM operations.orders WHERE {some}")
            cur.execute(f"DELETE FROM operations.orders WHERE {some}")
            cur.execute(f"INSERT INTO operations.orders SELECT order_id, order_date, '2024-06-{rng.randrange(1, 20):02}', customer_id, 'PENDING' FROM moved")
        by = rng.randrange(1, 500)
        cur.execute(f"UPDATE operations.order_items SET quanity = quanity - {by} WHERE order_item_id = {-rng.randrange(1, 6)}")
        cur.execute(f"UPDATE operations.order_items SET quanity = quanity + {by} WHERE order_item_id = {-rng.randrange(6, 11)}")
        conn.commit()
    return Worker(step)
