-- ACME Delivery Services: four tables of finance_db and the four views that its people look at.
--
-- The text is PostgreSQL's SQL. On a PostgreSQL server it runs as it is but for the WITH (topic = ...) of the tables, which
-- names the Debezium topic of each table and is not read when the source is PostgreSQL itself.
--
-- An order is open while its status is neither COMPLETED nor CANCELED. As in SQL, an order without a status is not open.

CREATE SCHEMA IF NOT EXISTS operations;

CREATE TABLE operations.customers (
    customer_id      bigserial PRIMARY KEY,
    customer_name    varchar(500) NOT NULL,
    is_active        boolean NOT NULL DEFAULT true,
    customer_address varchar(500),
    updated_at       timestamp(3),
    updated_by       bigint,
    created_at       timestamp(3),
    created_by       bigint
) WITH (topic = 'finance.operations.customers');

CREATE TABLE operations.products (
    product_id   bigserial PRIMARY KEY,
    product_name varchar(500) NOT NULL,
    barcode      varchar(26) NOT NULL,
    unity_price  decimal NOT NULL,
    is_active    boolean,
    updated_at   timestamp(3),
    updated_by   bigint,
    created_at   timestamp(3),
    created_by   bigint
) WITH (topic = 'finance.operations.products');

CREATE TABLE operations.orders (
    order_id      bigserial PRIMARY KEY,
    order_date    date,
    delivery_date date,
    customer_id   bigint,
    status        varchar,
    updated_at    timestamp(3),
    updated_by    bigint,
    created_at    timestamp(3),
    created_by    bigint
) WITH (topic = 'finance.operations.orders');

-- "quanity" is the source's own spelling.
CREATE TABLE operations.order_items (
    order_item_id bigserial PRIMARY KEY,
    order_id      bigint,
    product_id    bigint,
    quanity       integer,
    updated_at    timestamp(3),
    updated_by    bigint,
    created_at    timestamp(3),
    created_by    bigint
) WITH (topic = 'finance.operations.order_items');

-- Open orders by the day they are due and by their status. Orders without a delivery date are open work too: they are
-- counted under a NULL date, which comes last.
CREATE MATERIALIZED VIEW open_orders_by_delivery_status AS
SELECT delivery_date, status AS delivery_status, count(*) AS open_items_count
FROM operations.orders
WHERE status NOT IN ('COMPLETED', 'CANCELED')
GROUP BY delivery_date, status
ORDER BY delivery_date, delivery_status;

-- The three busiest delivery dates. "No date" is not a date, so orders without one do not compete. Of two dates with as many
-- open orders the earlier one comes first.
CREATE MATERIALIZED VIEW top3_delivery_dates AS
SELECT rank_num, delivery_date, open_items_count
FROM (SELECT row_number() OVER (ORDER BY open_items_count DESC, delivery_date) AS rank_num,
             delivery_date, open_items_count
      FROM (SELECT delivery_date, count(*) AS open_items_count
            FROM operations.orders
            WHERE status NOT IN ('COMPLETED', 'CANCELED') AND delivery_date IS NOT NULL
            GROUP BY delivery_date) AS by_date) AS ranked
WHERE rank_num <= 3
ORDER BY rank_num;

-- What is still to be delivered of each product. An item counts once its order has arrived and while that is open. A product
-- whose items all lack a quantity has no sum (NULL), as in SQL, and comes last.
CREATE MATERIALIZED VIEW pending_items_by_product AS
SELECT i.product_id, sum(i.quanity) AS pending_count
FROM operations.order_items AS i
JOIN operations.orders AS o ON o.order_id = i.order_id
WHERE o.status NOT IN ('COMPLETED', 'CANCELED')
GROUP BY i.product_id
ORDER BY pending_count DESC NULLS LAST, product_id;

-- The three customers with most open orders. Orders without a customer belong to nobody and do not compete. Of two customers
-- with as many open orders the smaller id comes first.
CREATE MATERIALIZED VIEW top3_customers_pending_orders AS
SELECT rank_num, customer_id, pending_orders
FROM (SELECT row_number() OVER (ORDER BY pending_orders DESC, customer_id) AS rank_num,
             customer_id, pending_orders
      FROM (SELECT customer_id, count(*) AS pending_orders
            FROM operations.orders
            WHERE status NOT IN ('COMPLETED', 'CANCELED') AND customer_id IS NOT NULL
            GROUP BY customer_id) AS by_customer) AS ranked
WHERE rank_num <= 3
ORDER BY rank_num;
