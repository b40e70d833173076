// The JVM's own consumer with Jackson, bound to a class: reading token by token was not faster.
// The formula, the handshake and the arguments are those of tally.py.

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public final class EwmaConsumer {
    static final double ALPHA = 0.1, THRESHOLD = 6.0;
    static final int WARM_UP = 10, WARM_MESSAGES = 20_000;

    public static final class Sample {
        public String name;
        public TreeMap<String, String> labels;
        public double value;
        public long timestamp;
    }

    static final class Ewma {
        int seen = 1;
        double mean, variance;

        Ewma(double first) {
            mean = first;
        }

        boolean judge(double value) {
            double off = value - mean, square = off * off;
            boolean alert = seen >= WARM_UP && square > THRESHOLD * THRESHOLD * variance;
            seen++;
            mean += ALPHA * off;
            variance = (1 - ALPHA) * (variance + ALPHA * square);
            return alert;
        }
    }

    static String key(Sample sample) {
        StringBuilder text = new StringBuilder(96).append(sample.name);
        for (Map.Entry<String, String> label : sample.labels.entrySet()) {
            text.append('\0').append(label.getKey()).append('\0').append(label.getValue());
        }
        return text.toString();
    }

    static void tell(long samples, double sum, long alerts) throws IOException {
        System.out.printf("bench:{\"samples\": %d, \"sum\": %s, \"alerts\": %d}%n", samples, sum, alerts);
        System.out.flush();
        while (System.in.read() != '\n') { }
    }

    static KafkaConsumer<byte[], byte[]> consumer(String bootstrap, String topic) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("auto.offset.reset", "earliest");
        settings.put("max.poll.records", "5000");
        settings.put("max.partition.fetch.bytes", "2097152");
        var bytes = new ByteArrayDeserializer();
        var consumer = new KafkaConsumer<>(settings, bytes, bytes);
        List<TopicPartition> partitions = new ArrayList<>();
        for (PartitionInfo each : consumer.partitionsFor(topic)) {
            partitions.add(new TopicPartition(topic, each.partition()));
        }
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        return consumer;
    }

    public static void main(String[] arguments) throws IOException {
        String bootstrap = arguments[1], topic = arguments[3];
        long wanted = Long.parseLong(arguments[5]), samples = 0, alerts = 0;
        double sum = 0;
        ObjectReader binding = new ObjectMapper().readerFor(Sample.class);
        Map<String, Ewma> states = new HashMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(bootstrap, topic)) {
            while (samples < wanted) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    Sample sample = binding.readValue(record.value());
                    String key = key(sample);
                    Ewma state = states.get(key);
                    if (state == null) {
                        states.put(key, new Ewma(sample.value));
                    } else if (state.judge(sample.value)) {
                        alerts++;
                    }
                    sum += sample.value;
                    if (++samples == WARM_MESSAGES || samples == wanted) {
                        tell(samples, sum, alerts);
                    }
                }
            }
        }
    }
}
