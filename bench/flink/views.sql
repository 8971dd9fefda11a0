-- ACME's four views in Flink's SQL, for the same topics and the same kind of sink; @...@ is filled in by flink.py. Statements end with
-- a semicolon at the end of a line; all INSERTs are one job, which reads each topic once.
CREATE TABLE orders (
    order_id      BIGINT,
    delivery_date INT, -- days since 1970, as Debezium writes a date
    customer_id   BIGINT,
    status        STRING,
    PRIMARY KEY (order_id) NOT ENFORCED
) WITH ('topic' = 'finance.operations.orders', @SOURCE@);

CREATE TABLE order_items (
    order_item_id BIGINT,
    order_id      BIGINT,
    product_id    BIGINT,
    quanity       INT,
    PRIMARY KEY (order_item_id) NOT ENFORCED
) WITH ('topic' = 'finance.operations.order_items', @SOURCE@);

CREATE TABLE open_orders_by_delivery_status (
    delivery_date DATE, delivery_status STRING, open_items_count BIGINT,
    PRIMARY KEY (delivery_date, delivery_status) NOT ENFORCED
) WITH ('table-name' = 'open_orders_by_delivery_status', @SINK@);

CREATE TABLE top3_delivery_dates (
    rank_num BIGINT, delivery_date DATE, open_items_count BIGINT,
    PRIMARY KEY (rank_num) NOT ENFORCED
) WITH ('table-name' = 'top3_delivery_dates', @SINK@);

CREATE TABLE pending_items_by_product (
    product_id BIGINT, pending_count BIGINT,
    PRIMARY KEY (product_id) NOT ENFORCED
) WITH ('table-name' = 'pending_items_by_product', @SINK@);

CREATE TABLE top3_customers_pending_orders (
    rank_num BIGINT, customer_id BIGINT, pending_orders BIGINT,
    PRIMARY KEY (rank_num) NOT ENFORCED
) WITH ('table-name' = 'top3_customers_pending_orders', @SINK@);

INSERT INTO open_orders_by_delivery_status
SELECT TIMESTAMPADD(DAY, delivery_date, DATE '1970-01-01'), status, open_items_count
FROM (SELECT delivery_date, status, COUNT(*) AS open_items_count
      FROM orders
      WHERE status NOT IN ('COMPLETED', 'CANCELED')
      GROUP BY delivery_date, status);

INSERT INTO top3_delivery_dates
SELECT rank_num, TIMESTAMPADD(DAY, delivery_date, DATE '1970-01-01'), open_items_count
FROM (SELECT ROW_NUMBER() OVER (ORDER BY open_items_count DESC, delivery_date ASC) AS rank_num,
             delivery_date, open_items_count
      FROM (SELECT delivery_date, COUNT(*) AS open_items_count
            FROM orders
            WHERE status NOT IN ('COMPLETED', 'CANCELED') AND delivery_date IS NOT NULL
            GROUP BY delivery_date))
WHERE rank_num <= 3;

INSERT INTO pending_items_by_product
SELECT i.product_id, SUM(CAST(i.quanity AS BIGINT))
FROM order_items AS i
JOIN orders AS o ON o.order_id = i.order_id
WHERE o.status NOT IN ('COMPLETED', 'CANCELED')
GROUP BY i.product_id;

INSERT INTO top3_customers_pending_orders
SELECT rank_num, customer_id, pending_orders
FROM (SELECT ROW_NUMBER() OVER (ORDER BY pending_orders DESC, customer_id ASC) AS rank_num,
             customer_id, pending_orders
      FROM (SELECT customer_id, COUNT(*) AS pending_orders
            FROM orders
            WHERE status NOT IN ('COMPLETED', 'CANCELED') AND customer_id IS NOT NULL
            GROUP BY customer_id))
WHERE rank_num <= 3;
