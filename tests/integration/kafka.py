"""A real Kafka broker and Kafka Connect with Debezium for the tests: the jars that tools/run/kafka/fetch.sh has Maven fetch,
started as tools/run/kafka.sh starts them, as children of this process."""
import json
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import urllib.error
import urllib.request

import confluent_kafka
import confluent_kafka.admin

import harness
from harness import end, free_port, spawn, until

TEMPLATES = harness.ROOT / "tools" / "run" / "kafka"
LATEST = ("4.1.0", "3.3.1.Final")
OLDER = ("3.9.1", "2.7.4.Final")
JAVA_OPTIONS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"]


class Unavailable(Exception):
    """Why there is no broker to be had here."""


def jars(what, version, poms=TEMPLATES):
    """The folder of a component's jars; fetched where it is not there yet. `poms`: the folder of WHAT.pom.xml."""
    if shutil.which("java") is None:
        raise Unavailable("java is not installed (tools/run/packages.sh kafka)")
    done = subprocess.run([TEMPLATES / "fetch.sh", what, version, poms], capture_output=True, text=True, timeout=540, check=False)
    if done.returncode != 0:
        raise Unavailable(done.stderr.strip().splitlines()[-1])
    return pathlib.Path(done.stdout.strip())


def fill_text(template, **values):
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    return text


def fill(template, path, **values):
    path.write_text(fill_text(template, **values), encoding="utf-8")
    return path


class Java:
    """A Java program with a log; started, killed and started again at the same ports."""

    def __init__(self, name, memory, folder, classpath, argv):
        self.name = name
        self.folder = folder
        self.log = folder / f"{name}.log"
        self.argv = ["java", f"-Xmx{memory}", *JAVA_OPTIONS, f"-Djava.io.tmpdir={folder}", "-cp", f"{classpath}/*", *argv]
        self.child = None

    def launch(self):
        with open(self.log, "ab") as log:
            self.child = spawn(self.argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)

    def running(self):
        return self.child is not None and self.child.poll() is None

    def kill(self):
        end(self.child, signal.SIGKILL)

    def stop(self):
        end(self.child, signal.SIGTERM, 60)

    def tail(self):
        return f"{self.name} {'runs' if self.running() else 'ended'}; its log ends:\n" + \
            "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])

    def until(self, condition, timeout, what):
        """Waits, unless the program ends; what went wrong is shown with its log."""
        def look():
            assert self.running(), f"waiting for {what}: {self.tail()}"
            return condition()
        try:
            return until(look, timeout, what, 0.1)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.tail()}") from None


def certificate(folder):
    """A key and a certificate of its own for 127.0.0.1, in one PEM file."""
    done = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                           "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "both.pem").write_text((folder / "key.pem").read_text() + (folder / "certificate.pem").read_text())
    return folder / "certificate.pem"


class Broker(Java):
    """One broker that is its own controller. `password`: of the user logfold at another port, by SASL over TLS (PLAIN and SCRAM-SHA-256),
    and a third port takes TLS alone, of clients with the broker's own certificate. `settings`: more of its properties ('_' stands for '.')."""

    def __init__(self, folder, version, password=None, **settings):
        classpath = jars("kafka", version)
        self.port = free_port()
        controller = free_port()
        folder.mkdir(exist_ok=True)
        properties = fill("broker.properties", folder / "broker.properties", FOLDER=folder, BROKER_PORT=self.port, CONTROLLER_PORT=controller)
        if password:
            settings.update(self._secure(folder, controller, password))
        with open(properties, "a", encoding="utf-8") as f:
            f.writelines(f"{k.replace('_', '.')}={v}\n" for k, v in settings.items())
        super().__init__("broker", "256m", folder, classpath, ["kafka.Kafka", properties])
        done = subprocess.run(["java", "-Xmx128m", "-cp", f"{classpath}/*", "kafka.tools.StorageTool", "format", "-t",
                               "A" + secrets.token_urlsafe(16)[1:21] + "A", "-c", properties,
                               *(["--add-scram", f"SCRAM-SHA-256=[name=logfold,password={password}]"] if password else [])],
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        self.start()

    def _secure(self, folder, controller, password):
        self.secure_port, self.mutual_port = free_port(), free_port()
        self.certificate = certificate(folder)
        security = "org.apache.kafka.common.security"
        listener = {"ssl.keystore.type": "PEM", "ssl.keystore.location": folder / "both.pem", "ssl.truststore.type": "PEM",
                    "ssl.truststore.location": self.certificate}
        ports = f"SECURE://127.0.0.1:{self.secure_port},MUTUAL://127.0.0.1:{self.mutual_port}"
        return {"listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{controller},{ports}",
                "advertised.listeners": f"PLAINTEXT://{self.address},{ports}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL",
                "listener.name.secure.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
                "listener.name.secure.plain.sasl.jaas.config": f'{security}.plain.PlainLoginModule required user_logfold="{password}";',
                "listener.name.secure.scram-sha-256.sasl.jaas.config": f"{security}.scram.ScramLoginModule required;",
                "listener.name.mutual.ssl.client.auth": "required",
                **{f"listener.name.{name}.{key}": value for name in ("secure", "mutual") for key, value in listener.items()}}

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"kafka://{self.address}"

    def start(self):
        self.launch()
        self.until(self._answers, 60, "the broker's answer")

    def _answers(self):
        try:
            return self.admin().list_topics(timeout=1)
        except confluent_kafka.KafkaException:
            return False

    def admin(self):
        return confluent_kafka.admin.AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    def _do(self, request, *args):
        admin = self.admin()  # must live for as long as the answers are waited for
        for future in getattr(admin, request)(*args).values():
            future.result(30)

    def topics(self):
        """Partitions by topic."""
        return {name: len(t.partitions) for name, t in self.admin().list_topics(timeout=10).topics.items()}

    def create(self, topic, partitions=1, **settings):
        new = confluent_kafka.admin.NewTopic(topic, partitions, 1, config={k.replace("_", "."): str(v) for k, v in settings.items()})
        self._do("create_topics", [new])

    def grow(self, topic, partitions):
        self._do("create_partitions", [confluent_kafka.admin.NewPartitions(topic, partitions)])

    def configure(self, topic, **settings):
        resource = confluent_kafka.admin.ConfigResource("topic", topic, set_config={k.replace("_", "."): str(v) for k, v in settings.items()})
        self._do("alter_configs", [resource])

    def delete(self, *topics):
        self._do("delete_topics", list(topics))
        until(lambda: not set(topics) & set(self.topics()), 30, "the topics are gone", 0.1)

    def offsets(self, topic):
        """(first, end) by partition."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.address, "group.id": "look"})
        try:
            return {p: consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, p), timeout=10) for p in range(self.topics()[topic])}
        finally:
            consumer.close()

    def committed(self, group, topic):
        """The group's offsets by partition."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.address, "group.id": group})
        try:
            asked = [confluent_kafka.TopicPartition(topic, p) for p in range(self.topics()[topic])]
            return {t.partition: t.offset for t in consumer.committed(asked, timeout=10)}
        finally:
            consumer.close()

    def produce(self, topic, records, partition=0):
        """(key, value) pairs or values, as bytes or text; None is a null."""
        producer = confluent_kafka.Producer({"bootstrap.servers": self.address, "linger.ms": 5})
        for record in records:
            key, value = record if isinstance(record, tuple) else (None, record)
            producer.produce(topic, key=key, value=value, partition=partition)
            producer.poll(0)
        assert producer.flush(30) == 0

    def consume(self, topic):
        """Every record that is there now, by partition, in order."""
        ends = self.offsets(topic)
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.address, "group.id": "look", "enable.partition.eof": False})
        consumer.assign([confluent_kafka.TopicPartition(topic, p, first) for p, (first, _) in ends.items()])
        todo = {p for p, (first, last) in ends.items() if last > first}
        got = []
        try:
            while todo:
                message = consumer.poll(10)
                assert message is not None and not message.error(), message and message.error()
                got.append(message)
                if message.offset() + 1 >= ends[message.partition()][1]:
                    todo.discard(message.partition())
        finally:
            consumer.close()
        return got


class Connect(Java):
    """One distributed worker: connectors and their offsets are the broker's, so that it may be killed at any time."""

    def __init__(self, folder, broker, versions):
        self.broker = broker
        self.port = free_port()
        folder.mkdir(exist_ok=True)
        properties = fill("connect.properties", folder / "connect.properties", BROKER_PORT=broker.port, CONNECT_PORT=self.port,
                          PLUGINS=jars("debezium", versions[1]).parent)
        super().__init__("connect", "512m", folder, jars("kafka", versions[0]),
                         ["org.apache.kafka.connect.cli.ConnectDistributed", properties])
        self.start()

    def start(self, wait=True):
        self.launch()
        if wait:
            self.until(lambda: self.ask("GET", "/connectors") is not None, 90, "Connect's answer")

    def ask(self, method, path, body=None):
        """The answer; None where there is none or Connect is busy (404, 409, 500: not there yet, rebalancing, starting)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as e:
            text = e.read().decode(errors="replace")
            assert e.code in (404, 409, 500, 503), f"{method} {path}: {e.code} {text}"
            return None
        except OSError:
            return None

    def register(self, name, config):
        self.until(lambda: self.ask("PUT", f"/connectors/{name}/config", config), 60, f"registering {name}")

    def remove(self, name):
        until(lambda: self.ask("DELETE", f"/connectors/{name}") is not None or name not in (self.ask("GET", "/connectors") or [name]), 30,
              f"{name} is removed", 0.2)

    def runs(self, name):
        """Whether its task runs; a failed one is an error."""
        status = self.ask("GET", f"/connectors/{name}/status")
        tasks = status["tasks"] if status else []
        failed = [t.get("trace", "")[:3000] for t in tasks if t["state"] == "FAILED"]
        assert not failed, f"{name} has failed: {failed[0]}"
        return bool(tasks) and all(t["state"] == "RUNNING" for t in tasks)

    def wait_runs(self, name, timeout=60):
        self.until(lambda: self.runs(name), timeout, f"{name} runs")


def connector(database, prefix, partitions=1, **settings):
    """Debezium's configuration for a test's source database: `bare` of REAL.md but for the settings ('_' stands for '.')."""
    text = fill_text("connector.json", SOURCE_PORT=database.cluster.port)
    config = {**json.loads(text), "database.user": "postgres", "database.dbname": database.name, "topic.prefix": prefix,
              "slot.name": "debezium_" + re.sub(r"\W", "_", prefix), "poll.interval.ms": "20",
              "topic.creation.default.partitions": str(partitions)}
    config.update({k.replace("_", "."): str(v) for k, v in settings.items()})
    return config


def schemas(on):
    """Converter settings of a connector: with or without the schema beside the payload."""
    name = "org.apache.kafka.connect.json.JsonConverter"
    return {"key_converter": name, "value_converter": name, "key_converter_schemas_enable": str(on).lower(),
            "value_converter_schemas_enable": str(on).lower()}
