-- The reference pipeline's source: its tables, its role and publication, and a workload as functions, for `make all`.
CREATE SCHEMA operations;
CREATE TABLE operations.customers (
    customer_id bigserial PRIMARY KEY, customer_name varchar(500) NOT NULL, is_active boolean NOT NULL DEFAULT true,
    customer_address varchar(500), updated_at timestamp(3), updated_by bigint, created_at timestamp(3), created_by bigint);
CREATE TABLE operations.products (
    product_id bigserial PRIMARY KEY, product_name varchar(500) NOT NULL, barcode varchar(26) NOT NULL, unity_price decimal NOT NULL,
    is_active boolean, updated_at timestamp(3), updated_by bigint, created_at timestamp(3), created_by bigint);
CREATE TABLE operations.orders (
    order_id bigserial PRIMARY KEY, order_date date, delivery_date date, customer_id bigint, status varchar,
    updated_at timestamp(3), updated_by bigint, created_at timestamp(3), created_by bigint);
CREATE TABLE operations.order_items (
    order_item_id bigserial PRIMARY KEY, order_id bigint, product_id bigint, quanity integer,
    updated_at timestamp(3), updated_by bigint, created_at timestamp(3), created_by bigint);
CREATE INDEX ON operations.orders (customer_id, order_date);
CREATE INDEX ON operations.order_items (order_id);
ALTER TABLE operations.customers REPLICA IDENTITY FULL;
ALTER TABLE operations.products REPLICA IDENTITY FULL;
ALTER TABLE operations.orders REPLICA IDENTITY FULL;
ALTER TABLE operations.order_items REPLICA IDENTITY FULL;

CREATE ROLE cdc_user LOGIN REPLICATION;
GRANT USAGE ON SCHEMA operations TO cdc_user;
GRANT SELECT ON ALL TABLES IN SCHEMA operations TO cdc_user;
CREATE PUBLICATION cdc_publication FOR TABLE operations.customers, operations.products, operations.orders, operations.order_items;

CREATE SCHEMA workload;
CREATE UNIQUE INDEX customers_by_name ON operations.customers (customer_name);
CREATE UNIQUE INDEX products_by_name ON operations.products (product_name);

-- A customer of 20 names and 3 addresses, upserted by name.
CREATE FUNCTION workload.touch_customer() RETURNS void LANGUAGE sql AS $$
    INSERT INTO operations.customers (customer_name, is_active, customer_address, created_at, created_by)
    VALUES ('Customer ' || (1 + floor(random() * 20))::int, random() < 0.9, (1 + floor(random() * 3))::int || ' Main Street', now(), 1)
    ON CONFLICT (customer_name) DO UPDATE SET is_active = EXCLUDED.is_active, customer_address = EXCLUDED.customer_address,
        updated_at = now(), updated_by = 1
$$;

-- A product of 28 names, upserted by name with a new price.
CREATE FUNCTION workload.touch_product() RETURNS void LANGUAGE sql AS $$
    INSERT INTO operations.products (product_name, barcode, unity_price, is_active, created_at, created_by)
    SELECT 'Product ' || n, lpad(n::text, 13, '4'), round((random() * 100)::numeric, 2), true, now(), 1
    FROM (SELECT (1 + floor(random() * 28))::int AS n) AS pick
    ON CONFLICT (product_name) DO UPDATE SET unity_price = EXCLUDED.unity_price, updated_at = now(), updated_by = 1
$$;

-- An order with 26 items for a random customer without an open order of today, else that order's next status. Unlike the reference,
-- where every order is delivered in exactly ten days, the days differ, so that there is something to rank.
CREATE FUNCTION workload.touch_order() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    customer bigint := (SELECT customer_id FROM operations.customers ORDER BY random() LIMIT 1);
    existing bigint := (SELECT order_id FROM operations.orders WHERE customer_id = customer AND order_date = current_date
                        AND status NOT IN ('COMPLETED', 'CANCELED') ORDER BY random() LIMIT 1);
    made bigint;
BEGIN
    IF existing IS NULL OR random() < 0.3 THEN
        INSERT INTO operations.orders (order_date, delivery_date, customer_id, status, created_at, created_by)
        VALUES (current_date, CASE WHEN random() < 0.98 THEN current_date + 8 + floor(random() * 5)::int END, customer, 'PENDING', now(), 1)
        RETURNING order_id INTO made;
        INSERT INTO operations.order_items (order_id, product_id, quanity, created_at, created_by)
        SELECT made, (SELECT product_id FROM operations.products WHERE i > 0 ORDER BY random() LIMIT 1),
               CASE WHEN random() < 0.99 THEN floor(random() * 1000)::int END, now(), 1
        FROM generate_series(1, 26) AS i;
    ELSE
        UPDATE operations.orders SET status = (ARRAY['PROCESSING', 'COMPLETED', 'REPROCESSING', NULL])[1 + floor(random() * 3.05)::int],
            updated_at = now(), updated_by = 1 WHERE order_id = existing;
    END IF;
END $$;

-- Deletes and key changes, which the reference never sees: old orders go with their items, an order gets another number.
CREATE FUNCTION workload.tidy() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    victim bigint := (SELECT order_id FROM operations.orders WHERE status IN ('COMPLETED', 'CANCELED') ORDER BY order_id LIMIT 1);
BEGIN
    IF random() < 0.1 THEN
        UPDATE operations.orders SET order_id = nextval('operations.orders_order_id_seq') WHERE order_id = victim;
    ELSE
        DELETE FROM operations.order_items WHERE order_id = victim;
        DELETE FROM operations.orders WHERE order_id = victim;
    END IF;
END $$;

SELECT workload.touch_customer() FROM generate_series(1, 100);
SELECT workload.touch_product() FROM generate_series(1, 200);
SELECT workload.touch_order() FROM generate_series(1, 500);
