// The shop: place an order, inject a failure, and see it undone. Nothing else in the console knows the shop.
import { call, get, newKey, put } from "../api.js";
import { html, useState } from "../dom.js";
import { ago } from "../format.js";
import { Failure, Heading, Nothing, Status, useFetched } from "../parts.js";

const SERVICES = ["ORDER", "PAYMENT", "INVENTORY", "SHIPPING"];

export function Shop({ can }) {
  return html`<${Heading} title="Shop" />
    <div class="columns">
      ${can("start") && html`<${PlaceOrder} />`}
      ${can("start") && html`<${Stock} />`}
    </div>
    <${Orders} />`;
}

function useForm(first) {
  const [values, setValues] = useState(first);
  const field = (name) => ({ name, value: values[name], onInput: (e) => setValues((before) => ({ ...before, [name]: e.target.value })) });
  return [values, field];
}

function PlaceOrder() {
  const [values, field] = useForm({ customer_id: "ada", product_id: "pen", quantity: "2", fail_at: "" });
  const [error, setError] = useState(null);
  const [placed, setPlaced] = useState(null);
  const place = async (event) => {
    event.preventDefault();
    setError(null);
    const body = { ...values, quantity: Number(values.quantity) };
    try {
      setPlaced(await call("POST", "orders", body, { "Idempotency-Key": newKey() }));
    } catch (failed) {
      setError(failed);
    }
  };
  return html`<form class="panel" onSubmit=${place} aria-labelledby="place"><h2 id="place">Place an order</h2>
    <label>Customer<input required maxlength="8" ...${field("customer_id")} /></label>
    <label>Product<input required maxlength="8" ...${field("product_id")} /></label>
    <label>Quantity<input required type="number" min="0" max="1000" ...${field("quantity")} /></label>
    <label>Inject a failure at<select ...${field("fail_at")} onChange=${field("fail_at").onInput}><option value="">none</option>${SERVICES.map((each) => html`<option>${each}</option>`)}</select></label>
    <${Failure} error=${error} />
    <button type="submit">Place it</button>
    ${placed && html`<p role="status">Placed: <a href=${`#/sagas/${encodeURIComponent(placed.saga_id)}`}>watch ${placed.saga_id}</a></p>`}</form>`;
}

function Stock() {
  const [customer, ofCustomer] = useForm({ id: "", credit_limit: "1000" });
  const [product, ofProduct] = useForm({ id: "", stock: "10", price: "5" });
  const [error, setError] = useState(null);
  const [done, setDone] = useState("");
  const send = (path, body, words) => async (event) => {
    event.preventDefault();
    setError(null);
    try {
      await put(path, body);
      setDone(words);
    } catch (failed) {
      setError(failed);
    }
  };
  return html`<div class="panel"><h2>Customers and products</h2>
    <form onSubmit=${send(`customers/${encodeURIComponent(customer.id)}`, { credit_limit: Number(customer.credit_limit) }, `customer ${customer.id} is there`)}>
      <label>Customer<input required maxlength="8" ...${ofCustomer("id")} /></label>
      <label>Credit limit<input required type="number" min="1" max="1000000" ...${ofCustomer("credit_limit")} /></label><button type="submit">Set</button></form>
    <form onSubmit=${send(`products/${encodeURIComponent(product.id)}`, { stock: Number(product.stock), price: Number(product.price) }, `product ${product.id} is there`)}>
      <label>Product<input required maxlength="8" ...${ofProduct("id")} /></label>
      <label>Stock<input required type="number" min="0" max="10000" ...${ofProduct("stock")} /></label>
      <label>Price<input required type="number" min="1" max="1000000" ...${ofProduct("price")} /></label><button type="submit">Set</button></form>
    <${Failure} error=${error} />${done && html`<p role="status">${done}</p>`}</div>`;
}

function Orders() {
  const { value, error } = useFetched(async () => {
    const pages = await Promise.all(["order", ...SERVICES.map((each) => `order failing at ${each}`)].map((name) => get(`sagas?limit=20&definition=${encodeURIComponent(name)}`)));
    return pages.flatMap((page) => page.sagas).sort((a, b) => b.started_ms - a.started_ms).slice(0, 20);
  }, []);
  return html`<section aria-labelledby="orders"><h2 id="orders">The last orders</h2><${Failure} error=${error} />
    ${value && !value.length && html`<${Nothing}>None was placed yet.<//>`}
    <ul class="rows" aria-live="polite">${(value || []).map((saga) => html`<li key=${saga.saga_id}><a href=${`#/sagas/${encodeURIComponent(saga.saga_id)}`}>
      <strong>${saga.saga_id}</strong><span>${Array.isArray(saga.request) ? `${saga.request[3]} × ${saga.request[2]} for ${saga.request[1]}` : ""}</span>
      <${Status} status=${saga.status} /><span class="when">${ago(saga.started_ms)}</span><span class="why">${saga.waits_for || saga.reason}</span></a></li>`)}</ul></section>`;
}
