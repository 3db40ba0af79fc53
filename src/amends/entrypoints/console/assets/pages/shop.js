// The shop: place an order, inject a failure, and see it undone. Nothing else in the console knows the shop.
import { call, get, newKey, put } from "../api.js";
import { html, useState } from "../dom.js";
import { ago } from "../format.js";
import { Picture, useSaga } from "./watching.js";
import { Failure, Heading, Nothing, Panel, Status, placeOf, useFetched } from "../parts.js";

const SERVICES = ["ORDER", "PAYMENT", "INVENTORY", "SHIPPING"];
const NAMES = ["order", ...SERVICES.map((each) => `order failing at ${each}`)];

export const isShopServed = (definitions) => NAMES.every((name) => definitions.some((each) => each.name === name && each.is_known));

export function Shop({ can }) {
  const [placed, setPlaced] = useState("");
  return html`<${Heading} title="Shop" />
    ${can("start") && html`<${PlaceOrder} onPlaced=${setPlaced} />`}
    ${placed && html`<${Watched} key=${placed} id=${placed} />`}
    <div class="columns uneven wide-first">
      <${Orders} />
      ${can("start") && html`<${Stock} />`}
    </div>`;
}

// The order that was placed last, as it goes on and comes back.
function Watched({ id }) {
  const { value, error, nowMs } = useSaga(id);
  const saga = value && value.timeline.saga;
  return html`<${Panel} id="watched" title="The order that you placed" isFlush>
    <${Failure} error=${error} />
    ${saga && html`<p class="lead body" role="status"><${Status} status=${saga.status} /><a href=${placeOf(id)}>watch <span class="id">${id}</span></a>
      ${saga.reason && html`<span class="undo-text">turned back: ${saga.reason}</span>`}</p><${Picture} value=${value} nowMs=${nowMs} />`}<//>`;
}

function useForm(first) {
  const [values, setValues] = useState(first);
  const field = (name) => ({ name, value: values[name], onInput: (e) => setValues((before) => ({ ...before, [name]: e.target.value })) });
  return [values, field];
}

function PlaceOrder({ onPlaced }) {
  const [values, field] = useForm({ customer_id: "ada", product_id: "pen", quantity: "2", fail_at: "" });
  const [error, setError] = useState(null);
  const place = async (event) => {
    event.preventDefault();
    setError(null);
    const body = { ...values, quantity: Number(values.quantity) };
    try {
      onPlaced((await call("POST", "orders", body, { "Idempotency-Key": newKey() })).saga_id);
    } catch (failed) {
      setError(failed);
    }
  };
  return html`<${Panel} id="place" title="Place an order"><form class="inline" onSubmit=${place}>
    <label>Customer<input required maxlength="8" ...${field("customer_id")} /></label>
    <label>Product<input required maxlength="8" ...${field("product_id")} /></label>
    <label>Quantity<input required type="number" min="0" max="1000" ...${field("quantity")} /></label>
    <label>Inject a failure at<select ...${field("fail_at")} onChange=${field("fail_at").onInput}><option value="">none</option>${SERVICES.map((each) => html`<option>${each}</option>`)}</select></label>
    <button type="submit">Place it</button></form>
    <${Failure} error=${error} /><//>`;
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
  return html`<${Panel} id="stock" title="Customers and products">
    <form class="inline" onSubmit=${send(`customers/${encodeURIComponent(customer.id)}`, { credit_limit: Number(customer.credit_limit) }, `customer ${customer.id} is there`)}>
      <label>Customer<input required maxlength="8" placeholder="ada" ...${ofCustomer("id")} /></label>
      <label>Credit limit<input required type="number" min="1" max="1000000" ...${ofCustomer("credit_limit")} /></label><button type="submit" class="quiet">Set</button></form>
    <form class="inline" onSubmit=${send(`products/${encodeURIComponent(product.id)}`, { stock: Number(product.stock), price: Number(product.price) }, `product ${product.id} is there`)}>
      <label>Product<input required maxlength="8" placeholder="pen" ...${ofProduct("id")} /></label>
      <label>Stock<input required type="number" min="0" max="10000" ...${ofProduct("stock")} /></label>
      <label>Price<input required type="number" min="1" max="1000000" ...${ofProduct("price")} /></label><button type="submit" class="quiet">Set</button></form>
    <${Failure} error=${error} />${done && html`<p role="status">${done}</p>`}<//>`;
}

function Orders() {
  const { value, error } = useFetched(async () => {
    const pages = await Promise.all(NAMES.map((name) => get(`sagas?limit=20&definition=${encodeURIComponent(name)}`)));
    return pages.flatMap((page) => page.sagas).sort((a, b) => b.started_ms - a.started_ms).slice(0, 20);
  }, []);
  return html`<${Panel} id="orders" title="The last orders" isFlush><${Failure} error=${error} />
    ${value && !value.length && html`<${Nothing}>None was placed yet.<//>`}
    ${value && value.length > 0 && html`<ul class="rows" aria-live="polite">${value.map((saga) => html`<li key=${saga.saga_id}><a href=${placeOf(saga.saga_id)}>
      <${Status} status=${saga.status} /><strong>${Array.isArray(saga.request) ? `${saga.request[3]} × ${saga.request[2]} for ${saga.request[1]}` : saga.name}</strong>
      <span class="why">${saga.waits_for || saga.reason}</span><span class="when">${ago(saga.started_ms)}</span></a></li>`)}</ul>`}<//>`;
}
