-- What one would do without logfold: the tables replicated by a subscription, and triggers that keep the four views' content on
-- every replicated row. The top 3 are plain views over the counts. Runs in the sink of `make bench BENCH="latency burst"`.
CREATE TABLE open_orders_by_delivery_status (delivery_date date, delivery_status varchar, open_items_count bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (delivery_date, delivery_status));
CREATE TABLE orders_by_date (delivery_date date PRIMARY KEY, open_items_count bigint NOT NULL);
CREATE TABLE orders_by_customer (customer_id bigint PRIMARY KEY, pending_orders bigint NOT NULL);
CREATE TABLE product_sums (product_id bigint UNIQUE NULLS NOT DISTINCT, pending_count bigint NOT NULL, quantities bigint NOT NULL,
    items bigint NOT NULL);
CREATE INDEX ON operations.order_items (order_id);

CREATE VIEW pending_items_by_product AS
    SELECT product_id, CASE WHEN quantities > 0 THEN pending_count END AS pending_count FROM product_sums;
CREATE VIEW top3_delivery_dates AS
    SELECT row_number() OVER (ORDER BY open_items_count DESC, delivery_date) AS rank_num, * FROM orders_by_date
    ORDER BY open_items_count DESC, delivery_date LIMIT 3;
CREATE VIEW top3_customers_pending_orders AS
    SELECT row_number() OVER (ORDER BY pending_orders DESC, customer_id) AS rank_num, * FROM orders_by_customer
    ORDER BY pending_orders DESC, customer_id LIMIT 3;

CREATE FUNCTION is_open(status varchar) RETURNS boolean LANGUAGE sql IMMUTABLE AS
    $$ SELECT coalesce(status NOT IN ('COMPLETED', 'CANCELED'), false) $$;

CREATE FUNCTION count_order(day date, state varchar, customer bigint, sign int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.open_orders_by_delivery_status AS v VALUES (day, state, sign)
        ON CONFLICT (delivery_date, delivery_status) DO UPDATE SET open_items_count = v.open_items_count + sign;
    IF day IS NOT NULL THEN
        INSERT INTO public.orders_by_date AS v VALUES (day, sign)
            ON CONFLICT (delivery_date) DO UPDATE SET open_items_count = v.open_items_count + sign;
    END IF;
    IF customer IS NOT NULL THEN
        INSERT INTO public.orders_by_customer AS v VALUES (customer, sign)
            ON CONFLICT (customer_id) DO UPDATE SET pending_orders = v.pending_orders + sign;
    END IF;
    IF sign < 0 THEN
        DELETE FROM public.open_orders_by_delivery_status
            WHERE delivery_date = day AND delivery_status = state AND open_items_count = 0;
        IF day IS NULL THEN
            DELETE FROM public.open_orders_by_delivery_status
                WHERE delivery_date IS NULL AND delivery_status = state AND open_items_count = 0;
        END IF;
        DELETE FROM public.orders_by_date WHERE delivery_date = day AND open_items_count = 0;
        DELETE FROM public.orders_by_customer WHERE customer_id = customer AND pending_orders = 0;
    END IF;
END $$;

CREATE FUNCTION count_item(product bigint, quantity bigint, quantity_count bigint, item_count bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.product_sums AS v VALUES (product, quantity, quantity_count, item_count)
        ON CONFLICT (product_id) DO UPDATE SET pending_count = v.pending_count + quantity,
            quantities = v.quantities + quantity_count, items = v.items + item_count;
    IF item_count < 0 THEN
        DELETE FROM public.product_sums WHERE product_id = product AND items = 0;
        IF product IS NULL THEN
            DELETE FROM public.product_sums WHERE product_id IS NULL AND items = 0;
        END IF;
    END IF;
END $$;

CREATE FUNCTION count_items_of(id bigint, sign int) RETURNS void LANGUAGE sql AS $$
    SELECT public.count_item(product_id, sign * coalesce(sum(quanity), 0), sign * count(quanity), sign * count(*))
    FROM operations.order_items WHERE order_id = id GROUP BY product_id
$$;

CREATE FUNCTION order_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was boolean := TG_OP <> 'INSERT' AND public.is_open(OLD.status);
    is_now boolean := TG_OP <> 'DELETE' AND public.is_open(NEW.status);
BEGIN
    IF was THEN
        PERFORM public.count_order(OLD.delivery_date, OLD.status, OLD.customer_id, -1);
    END IF;
    IF is_now THEN
        PERFORM public.count_order(NEW.delivery_date, NEW.status, NEW.customer_id, 1);
    END IF;
    IF was AND (NOT is_now OR OLD.order_id <> NEW.order_id) THEN
        PERFORM public.count_items_of(OLD.order_id, -1);
    END IF;
    IF is_now AND (NOT was OR OLD.order_id <> NEW.order_id) THEN
        PERFORM public.count_items_of(NEW.order_id, 1);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION item_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND EXISTS (SELECT FROM operations.orders WHERE order_id = OLD.order_id AND public.is_open(status)) THEN
        PERFORM public.count_item(OLD.product_id, -coalesce(OLD.quanity, 0), -(OLD.quanity IS NOT NULL)::int, -1);
    END IF;
    IF TG_OP <> 'DELETE' AND EXISTS (SELECT FROM operations.orders WHERE order_id = NEW.order_id AND public.is_open(status)) THEN
        PERFORM public.count_item(NEW.product_id, coalesce(NEW.quanity, 0), (NEW.quanity IS NOT NULL)::int, 1);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER order_changed AFTER INSERT OR UPDATE OR DELETE ON operations.orders FOR EACH ROW EXECUTE FUNCTION order_changed();
CREATE TRIGGER item_changed AFTER INSERT OR UPDATE OR DELETE ON operations.order_items FOR EACH ROW EXECUTE FUNCTION item_changed();
ALTER TABLE operations.orders ENABLE ALWAYS TRIGGER order_changed;
ALTER TABLE operations.order_items ENABLE ALWAYS TRIGGER item_changed;
